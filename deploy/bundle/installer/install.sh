#!/usr/bin/env bash
# Installs Kascribe from the folder of this file, without a network. `./install.sh --help` lists the options.
#
# PREFIX/releases/<version>-<digest>/  one installation: venv, models, docs, units; never changed later
# PREFIX/current                       the release in use; PREFIX/venv, models and docs lead through it
# PREFIX/previous                      the release before it, for --rollback
set -euo pipefail
umask 022 # the roles' own user must be able to read what root installs
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
FAILED=1 USAGE=2 UNSUITABLE=3 DAMAGED=4
UNITS=(kascribe@.service kascribe-reconciler.service)
LINKS=(venv models docs README.md)
ETC=/etc/kascribe

usage() {
  cat <<'END'
Usage: ./install.sh [OPTIONS]

Install Kascribe from this folder, without a network, or upgrade it in place.
As root it also installs systemd units, their account, and /etc/kascribe.
Settings and data are kept by upgrades. A failed installation is undone.

Options:
  --prefix DIR     Where to install. [default: /opt/kascribe; not as root:
                   ~/.local/opt/kascribe]
  --python PATH    The Python to use. [default: the newest on PATH that suits]
  --no-systemd     Install no units, no account and no /etc/kascribe.
  --no-selftest    Do not prove the installation before it is used.
  --check          Check machine and bundle, and install nothing.
  --rollback       Use the release again that the last upgrade replaced.
  --uninstall      Stop the units and remove everything but settings and data.
  --help           Show this message and exit.

Exit status: 0 done, 1 failed and undone, 2 wrong options, 3 the machine does
not suit, 4 the bundle is damaged.
END
}

die() {
  local status=$1
  shift
  printf 'error: %s\n' "$*" >&2
  exit "$status"
}

say() { printf '%s\n' "$*"; }

# The value of a name in bundle.conf; the file is never executed.
conf() { sed -n "s/^$1=//p" "$HERE/bundle.conf"; }

is_system() { [ "$SYSTEMD" = yes ] && [ "$(id -u)" = 0 ]; }

read_options() {
  ACTION=install PYTHON='' SYSTEMD=yes SELFTEST=yes
  if [ "$(id -u)" = 0 ]; then PREFIX=/opt/kascribe; else PREFIX="${HOME:-/nonexistent}/.local/opt/kascribe"; fi
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix | --python)
        [ $# -ge 2 ] || die $USAGE "$1 needs a value: ./install.sh --help"
        if [ "$1" = --prefix ]; then PREFIX=$2; else PYTHON=$2; fi
        shift
        ;;
      --no-systemd) SYSTEMD=no ;;
      --no-selftest) SELFTEST=no ;;
      --check | --rollback | --uninstall) ACTION=${1#--} ;;
      --help) usage && exit 0 ;;
      *) die $USAGE "there is no option $1: ./install.sh --help" ;;
    esac
    shift
  done
  PREFIX=${PREFIX%/}
  [[ $PREFIX =~ ^/[A-Za-z0-9._/+-]+$ ]] ||
    die $USAGE "--prefix must be an absolute path of letters, digits and . _ + - /, not '$PREFIX'"
}

check_machine() {
  [ -f "$HERE/bundle.conf" ] || die $DAMAGED "bundle.conf is missing in $HERE: unpack the archive again"
  local wanted glibc
  wanted=$(conf ARCHITECTURE)
  [ "$(uname -m)" = "$wanted" ] ||
    die $UNSUITABLE "this bundle is for $wanted, and this machine is $(uname -m): build a bundle for it"
  glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2) || true
  [ -n "$glibc" ] || die $UNSUITABLE "this system has no glibc (Alpine Linux?): the wheels need $(conf GLIBC) or later"
  [ "$(printf '%s\n' "$(conf GLIBC)" "$glibc" | sort -V | head -n1)" = "$(conf GLIBC)" ] ||
    die $UNSUITABLE "glibc $glibc is too old: the wheels need $(conf GLIBC), as in RHEL 8, or later"
}

# Prints version, implementation, platform and path of a Python, or nothing when it does not run. The path is that of
# the program behind a version switcher or a virtual environment, which may change or go later.
describe_python() {
  "$1" -I -c 'import platform, sys, sysconfig
print("%d.%d" % sys.version_info[:2], platform.python_implementation(), sysconfig.get_platform(),
      getattr(sys, "_base_executable", sys.executable))' 2>/dev/null || true
}

find_python() {
  local pythons candidate path version implementation platform program found=''
  pythons=$(conf PYTHONS)
  local candidates=()
  if [ -n "$PYTHON" ]; then
    candidates=("$PYTHON")
  else
    for version in $pythons; do candidates+=("python$version"); done
    candidates+=(python3)
  fi
  for candidate in "${candidates[@]}"; do
    path=$(command -v "$candidate") || continue
    read -r version implementation platform program <<<"$(describe_python "$path")" || continue
    [ -n "$version" ] || continue
    found+=" $path ($implementation $version, $platform)"
    if [[ " $pythons " == *" $version "* && $implementation == CPython && $platform == "linux-$(conf ARCHITECTURE)" ]]; then
      PYTHON=$program PYTHON_VERSION=$version
      check_modules
      return
    fi
  done
  die $UNSUITABLE "this bundle needs Python ${pythons// / or }; found:${found:- none that runs}. Install one" \
    "(RHEL: dnf install python3.11) or name one with --python"
}

check_modules() {
  local lacking
  lacking=$("$PYTHON" -I -c 'import importlib
for name in ("bz2", "ctypes", "lzma", "sqlite3", "ssl", "venv", "zlib"):
    try:
        importlib.import_module(name)
    except ImportError:
        print(name, end=" ")')
  [ -z "$lacking" ] || die $UNSUITABLE "$PYTHON lacks ${lacking% }: install the rest of it, or name another with --python"
}

check_prefix() {
  [ ! -e "$PREFIX" ] || [ -d "$PREFIX" ] || die $UNSUITABLE "$PREFIX is not a directory: choose another --prefix"
  if [ -d "$PREFIX" ] && [ ! -e "$PREFIX/.kascribe" ] && [ -n "$(ls -A "$PREFIX")" ]; then
    die $UNSUITABLE "$PREFIX is not empty and was not made by this installer: move it away, or choose another --prefix"
  fi
  local parent=$PREFIX needed free
  while [ ! -d "$parent" ]; do parent=$(dirname "$parent"); done
  [ -w "$parent" ] || die $UNSUITABLE "$parent cannot be written by $(id -un): install as root, or choose another --prefix"
  needed=$(conf INSTALLED_KIB)
  free=$(df -Pk "$parent" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$needed" ] || die $UNSUITABLE "$PREFIX needs about $((needed / 1024)) MiB, and its disk has" \
    "$((free / 1024)) MiB: free some, or choose another --prefix"
}

check_bundle() {
  [ -f "$HERE/SHA256SUMS" ] || die $DAMAGED "SHA256SUMS is missing in $HERE: unpack the archive again"
  local wrong
  wrong=$(cd "$HERE" && sha256sum --check --strict --quiet SHA256SUMS 2>&1) ||
    die $DAMAGED "the bundle is damaged or incomplete: copy and unpack the archive again
$(head -n 5 <<<"$wrong")"
  wrong=$(cd "$HERE" && comm -13 <(cut -c67- SHA256SUMS | sort) <(find . -mindepth 1 ! -type d | cut -c3- | sort) |
    grep -vx SHA256SUMS) || true
  [ -z "$wrong" ] || die $DAMAGED "the bundle holds a file that is not in SHA256SUMS: ${wrong%%$'\n'*}. Unpack the" \
    "archive into a new folder"
  RELEASE="$PREFIX/releases/$(conf VERSION)-$(sha256sum "$HERE/SHA256SUMS" | cut -c1-8)"
}

# Runs a program with nothing of the caller's environment; its output goes to a file.
quietly() {
  (cd "$WORK" && env -i PATH=/usr/bin:/bin HOME="$WORK" TMPDIR="$WORK" LANG=C.UTF-8 PIP_CONFIG_FILE=/dev/null "$@") \
    >"$WORK/log" 2>&1
}

# The same, and shows the output and gives up when it fails.
step() {
  local what=$1
  shift
  if ! quietly "$@"; then
    tail -n 15 "$WORK/log" >&2
    if grep -q -e 'No space left' -e 'Disk quota exceeded' "$WORK/log"; then
      die $FAILED "no space is left in $PREFIX or ${TMPDIR:-/tmp}: free some and run the installer again"
    fi
    die $FAILED "$what failed"
  fi
}

lock_prefix() {
  if [ ! -d "$PREFIX" ]; then
    MADE_PREFIX=yes
    mkdir -p "$PREFIX"
  fi
  touch "$PREFIX/.kascribe"
  exec 9>"$PREFIX/.kascribe"
  flock -n 9 || die $FAILED "another installer works in $PREFIX: wait for it"
  LOCKED=yes
}

# On every exit: undo what is not complete, so that the release in use stays in use.
undo() {
  local status=$? name
  trap - EXIT
  trap '' INT TERM HUP # a second signal must not leave it half undone
  rm -rf "$WORK"
  if [ "$COMPLETE" = yes ] || [ "$LOCKED" = no ]; then exit "$status"; fi
  set +e
  restore_links
  [ -z "$MAKING" ] || leads_to current "releases/$(basename "$MAKING")" || rm -rf "$MAKING"
  if [ -e "$PREFIX/current" ]; then
    if [ "$TOUCHED_SYSTEM" = yes ]; then (install_system "$PREFIX/current"); fi
    say "The installation was undone: $(basename "$(readlink "$PREFIX/current")") is still in use." >&2
  else
    if [ "$TOUCHED_SYSTEM" = yes ]; then remove_system; fi
    for name in "${LINKS[@]}"; do
      if leads_to "$name" "current/$name"; then rm -f "$PREFIX/$name"; fi
    done
    # Releases that this run did not make stay, and with them the mark that the folder is the installer's.
    [ ! -d "$PREFIX/releases" ] || rmdir --ignore-fail-on-non-empty "$PREFIX/releases"
    [ -d "$PREFIX/releases" ] || rm -f "$PREFIX/.kascribe"
    [ "$MADE_PREFIX" = no ] || rmdir "$PREFIX"
    say "The installation was undone." >&2
  fi
  exit "$status"
}

make_release() {
  local pip
  pip=$(echo "$HERE"/pip/pip-*.whl) # not the machine's, which may be old or missing; it is not installed
  mkdir -p "$MAKING"
  say "Making an environment of $PYTHON ($PYTHON_VERSION)"
  step "python -m venv" "$PYTHON" -I -m venv --without-pip "$MAKING/venv"
  say "Installing $(grep -c == "$HERE/requirements/python$PYTHON_VERSION.txt") packages"
  step "pip" "$MAKING/venv/bin/python" -I "$pip/pip" --isolated --disable-pip-version-check install --no-index --no-deps \
    --require-hashes --only-binary=:all: --no-cache-dir --no-compile \
    --find-links "$HERE/wheels" -r "$HERE/requirements/python$PYTHON_VERSION.txt"
  step "pip check" "$MAKING/venv/bin/python" -I "$pip/pip" --isolated --disable-pip-version-check check
  # On all cores; packages may hold files that are not for this Python, which is why its status does not matter.
  quietly "$MAKING/venv/bin/python" -I -m compileall -q -j 0 "$MAKING/venv/lib" || true
  copy_models
  step cp cp -r "$HERE"/{docs,settings,systemd,LICENSE,install.sh,bundle.conf} "$HERE"/*.md "$MAKING/"
  [ ! -d "$HERE/sbom" ] || step cp cp -r "$HERE/sbom" "$MAKING/"
  sed -i "s|/opt/kascribe|$PREFIX|g" "$MAKING"/systemd/*.service
  chmod -R go=rX "$MAKING" # the archive may have been unpacked with another umask
}

# Models of the release in use stay, without a second copy; those of the bundle replace theirs of the same name.
copy_models() {
  mkdir "$MAKING/models"
  [ ! -d "$PREFIX/current/models" ] || cp -al "$PREFIX/current/models/." "$MAKING/models/"
  local model
  for model in "$HERE"/models/*/; do
    [ -d "$model" ] || continue
    say "Copying the model $(basename "$model")"
    rm -rf "$MAKING/models/$(basename "$model")"
    step cp cp -r "$model" "$MAKING/models/"
  done
}

prove() {
  [ "$SELFTEST" = yes ] || return 0
  say "Proving it: kascribe $(conf CHECK)"
  local arguments
  read -ra arguments <<<"$(conf CHECK)"
  step "kascribe $(conf CHECK)" "$1/venv/bin/kascribe" "${arguments[@]}"
}

install_system() {
  TOUCHED_SYSTEM=yes
  local from=$1 unit
  install -Dm644 "$from/systemd/kascribe.sysusers" /etc/sysusers.d/kascribe.conf
  systemd-sysusers /etc/sysusers.d/kascribe.conf
  (cd / && runuser -u kascribe -- "$from/venv/bin/kascribe" --version >/dev/null 2>&1) ||
    die $FAILED "the account kascribe cannot run $from/venv/bin/kascribe: it must be able to read $PREFIX and the" \
      "Python behind it, $(readlink -f "$from/venv/bin/python"); --prefix and --python name others"
  for unit in "${UNITS[@]}"; do install -Dm644 "$from/systemd/$unit" "/etc/systemd/system/$unit"; done
  install -Dm644 -t /etc/systemd/system/kascribe@transcriber.service.d "$from"/systemd/kascribe@transcriber.service.d/*
  [ -d "$ETC" ] || install -d -m 0750 -g kascribe "$ETC"
  install -m 0640 -g kascribe "$from/settings/kascribe.env.example" "$ETC/kascribe.env.example"
  if [ ! -e "$ETC/kascribe.env" ]; then
    { settings_of_bundle && cat "$from/settings/kascribe.env.example"; } >"$ETC/.kascribe.env.new"
    chown root:kascribe "$ETC/.kascribe.env.new"
    chmod 0640 "$ETC/.kascribe.env.new"
    mv "$ETC/.kascribe.env.new" "$ETC/kascribe.env"
    MADE_SETTINGS=yes
  fi
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

settings_of_bundle() {
  local models
  models=$(conf MODELS)
  say "# Written by the installer: models come from the bundle, and nothing is downloaded."
  say "KASCRIBE_WHISPER_MODELS_DIRECTORY=$PREFIX/models"
  say "HF_HUB_OFFLINE=1"
  [ -z "$models" ] || say "KASCRIBE_WHISPER_MODEL=${models%% *}"
  say
}

remove_system() {
  local unit
  for unit in "${UNITS[@]}"; do rm -f "/etc/systemd/system/$unit"; done
  rm -rf /etc/systemd/system/kascribe@transcriber.service.d/gpu.conf /etc/sysusers.d/kascribe.conf
  rmdir --ignore-fail-on-non-empty /etc/systemd/system/kascribe@transcriber.service.d 2>/dev/null || true
  rm -f "$ETC/kascribe.env.example"
  [ "$MADE_SETTINGS" = no ] || rm -f "$ETC/kascribe.env"
  rmdir --ignore-fail-on-non-empty "$ETC" 2>/dev/null || true
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

# Makes NAME in PREFIX lead to TARGET, in one step.
point() {
  ln -sfn "$2" "$PREFIX/.$1.new"
  mv -T "$PREFIX/.$1.new" "$PREFIX/$1" ||
    die $FAILED "$PREFIX/$1 cannot be made a link: move away what is there, and run the installer again"
}

leads_to() { [ -L "$PREFIX/$1" ] && [ "$(readlink "$PREFIX/$1")" = "$2" ]; }

# Uses a release. `current` comes last: until it is moved, everything leads to the release that was in use.
use() {
  local new name
  new=releases/$(basename "$1")
  USED=$(readlink "$PREFIX/current" || true) EARLIER=$(readlink "$PREFIX/previous" || true)
  SWITCHING=yes
  for name in "${LINKS[@]}"; do point "$name" "current/$name"; done
  if [ -n "$USED" ] && [ "$USED" != "$new" ]; then point previous "$USED"; fi
  point current "$new"
  MAKING='' COMPLETE=yes
}

# Makes current and previous lead where they led before `use`.
restore_links() {
  local name target
  for name in current previous "${LINKS[@]}"; do rm -f "$PREFIX/.$name.new"; done
  [ "$SWITCHING" = yes ] || return 0
  for name in current previous; do
    if [ "$name" = current ]; then target=$USED; else target=$EARLIER; fi
    if [ -z "$target" ]; then
      rm -f "$PREFIX/$name"
    elif ! leads_to "$name" "$target"; then
      (point "$name" "$target")
    fi
  done
}

# Removes releases that neither current nor previous name.
prune() {
  local release
  for release in "$PREFIX"/releases/*; do
    case "releases/$(basename "$release")" in
      "$(readlink "$PREFIX/current")" | "$(readlink "$PREFIX/previous" || true)") ;;
      *) rm -rf "$release" ;;
    esac
  done
}

label() {
  command -v selinuxenabled >/dev/null && selinuxenabled || return 0
  restorecon -RF "$PREFIX" || true
  [[ $PREFIX == /opt/* ]] || say "SELinux: $PREFIX is outside /opt; docs/offline.md says how to label it."
}

report() {
  say "Kascribe $(conf VERSION) is installed in $PREFIX, after ${SECONDS} s."
  if is_system; then
    say "Settings: $ETC/kascribe.env (kept by upgrades; kascribe.env.example has the new ones)"
    say "Start:    systemctl enable --now kascribe@transcriber kascribe@gateway"
    [ ! -e "$PREFIX/previous" ] || say "Restart:  systemctl try-restart 'kascribe@*' kascribe-reconciler"
    if command -v firewall-cmd >/dev/null && firewall-cmd --state >/dev/null 2>&1; then
      say "Firewall: firewall-cmd --permanent --add-port=8001/tcp && firewall-cmd --reload (other hosts use the gateway)"
    fi
    if command -v fapolicyd-cli >/dev/null; then
      say "fapolicyd: docs/offline.md says how to trust $PREFIX, again after each upgrade."
    fi
  else
    say "Run:      $PREFIX/venv/bin/kascribe --help"
    say "Models:   export KASCRIBE_WHISPER_MODELS_DIRECTORY=$PREFIX/models HF_HUB_OFFLINE=1"
  fi
}

begin() {
  WORK=$(mktemp -d) MAKING='' COMPLETE=no LOCKED=no MADE_PREFIX=no TOUCHED_SYSTEM=no MADE_SETTINGS=no
  SWITCHING=no USED='' EARLIER=''
  trap undo EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

install_bundle() {
  check_machine
  find_python
  check_prefix
  check_bundle
  if [ "$ACTION" = check ]; then
    say "This machine and this bundle suit: Python $PYTHON_VERSION ($PYTHON), $PREFIX."
    return
  fi
  if [ "$SYSTEMD" = yes ] && [ "$(id -u)" = 0 ] && ! command -v systemd-sysusers >/dev/null; then
    die $UNSUITABLE "there is no systemd-sysusers on this system: use --no-systemd"
  fi
  begin
  lock_prefix
  if [ -e "$RELEASE/.complete" ]; then
    say "$(basename "$RELEASE") is already in $PREFIX."
  else
    # A venv holds its own path, so it is made where it stays; until it is complete, nothing leads to it.
    MAKING=$RELEASE
    rm -rf "$RELEASE"
    make_release
  fi
  prove "$RELEASE"
  touch "$RELEASE/.complete"
  label
  if is_system; then install_system "$RELEASE"; fi
  use "$RELEASE"
  prune
  report
}

roll_back() {
  [ -e "$PREFIX/previous" ] || die $UNSUITABLE "$PREFIX has no previous release: there was no upgrade"
  local previous
  previous=$PREFIX/$(readlink "$PREFIX/previous")
  begin
  lock_prefix
  if is_system; then install_system "$previous"; fi
  use "$previous"
  say "$(basename "$previous") is in use again; running roles use it when they are restarted."
}

uninstall() {
  [ -e "$PREFIX/.kascribe" ] || die $UNSUITABLE "Kascribe is not installed in $PREFIX by this installer: name its --prefix"
  begin
  lock_prefix
  if is_system; then
    if [ -d /run/systemd/system ]; then systemctl stop 'kascribe@*' kascribe-reconciler || true; fi
    rm -f /etc/systemd/system/*.wants/{kascribe@*,kascribe-reconciler}.service
    remove_system
  fi
  COMPLETE=yes
  cd /
  rm -rf "$PREFIX/releases" "$PREFIX/.kascribe"
  rm -f "$PREFIX"/{current,previous,venv,models,docs,README.md}
  rmdir "$PREFIX" 2>/dev/null || say "$PREFIX holds files that the installer did not make; they stay."
  say "Kascribe is removed from $PREFIX. Settings ($ETC) and data (/var/{lib,cache,log}/kascribe) stay."
}

read_options "$@"
case $ACTION in
  install | check) install_bundle ;;
  rollback) roll_back ;;
  uninstall) uninstall ;;
esac
