"""The steps of a Dockerfile, run in their order without a container engine.

Each stage is a layer of an overlay file system on top of this machine's own root, of which the folders that no
image has anything in are hidden: COPY and RUN change the layer alone. Each step has a mount namespace of its own,
so nothing stays mounted. The machine takes the place of the base image, and must be of its kind: for ours, Debian
with Python 3.11 or later. It needs root.
"""

import fnmatch
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.images.dockerfile import Dockerfile, Instruction, Stage, assignments, substituted

STEP_TIMEOUT_SECONDS: Final = 3600
HIDDEN: Final = ("home", "opt", "root", "srv", "tmp", "work")
"""Folders of this machine that no image has anything in."""

PASSED_ON: Final = (
    "ALL_PROXY", "CURL_CA_BUNDLE", "GOFLAGS", "GOPROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "PIP_CERT",
    "PIP_INDEX_URL", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "UV_DEFAULT_INDEX",
)  # fmt: skip
"""Variables that say how to reach package indexes, as build arguments and an engine's configuration would."""

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OF_BASES: Final = {"golang:": {"GOPATH": "/go", "PATH": f"/go/bin:/usr/local/go/bin:{PATH}"}}
"""Variables that base images set, by the beginning of their names."""

Report = Callable[[str], None]


class StepFailed(Exception):
    """A step ended with another status than 0. The text has the step and the end of its output."""


@dataclass
class Layer:
    """One stage that was walked: its own changes, the layers below it, and what its instructions set."""

    changes: Path
    below: tuple[Path, ...]
    variables: dict[str, str]
    user: str = "0"
    directory: str = "/"
    entry_point: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health_check: list[str] = field(default_factory=list)

    @property
    def stack(self) -> tuple[Path, ...]:
        """All layers, the uppermost first."""
        return (self.changes, *self.below)


class Walk:
    """One walk through a Dockerfile, in a directory of its own. ``caches`` are folders for mounts of type cache.

    ``context`` is the folder that COPY reads, as far as ``ignore`` (the text of a .dockerignore) leaves it.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        *,
        context: Path,
        ignore: str,
        directory: Path,
        caches: Mapping[str, Path],
        report: Report = print,
    ) -> None:
        self._dockerfile = dockerfile
        self._context = context
        self._ignore = ignore
        self._directory = directory
        self._caches = dict(caches)
        self._report = report
        self._layers: dict[str, Layer] = {}

    def build(self, target: str) -> Layer:
        """Run every step that a target needs, those of stages that were walked before excepted.

        Blocks as long as the steps take. Raises StepFailed, and KeyError for a target that is not there.
        """
        for stage in self._dockerfile.needed(target):
            if stage.name not in self._layers:
                self._layers[stage.name] = self._walk(stage)
        return self._layers[target]

    def run(
        self, layer: Layer, command: Sequence[str], *, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the image's user, with a read-only root; /tmp and HOME are scratch."""
        places = [place for place in ("/tmp", layer.variables.get("HOME")) if place]  # noqa: S108 - in the image
        scratch = "".join(f"mount -t tmpfs -o mode=1777 tmpfs {{root}}{place}; " for place in places)
        return self._in_root(layer, shlex.join(command), before=scratch, is_read_only=True, extra=variables or {})

    def _walk(self, stage: Stage) -> Layer:
        layer = self._start(stage)
        for instruction in stage.instructions:
            self._take(stage, layer, instruction)
        return layer

    def _start(self, stage: Stage) -> Layer:
        changes = self._new_folder(f"{stage.name}.changes")
        below = self._layers.get(stage.origin)
        if below is None:
            variables = {"PATH": PATH}
            for beginning, more in OF_BASES.items():
                variables |= more if stage.origin.startswith(beginning) else {}
            return Layer(changes, (), variables)
        return Layer(
            changes,
            below.stack,
            dict(below.variables),
            below.user,
            below.directory,
            below.entry_point,
            below.command,
            below.health_check,
        )

    def _mount_host(self) -> str:
        """Return the command that mounts this machine's root, without its own folders, below all layers."""
        folder = self._directory / "base"
        if not folder.is_dir():
            for name in HIDDEN:
                place = folder / name
                place.mkdir(parents=True)
                place.chmod(0o1777 if name == "tmp" else 0o755)
                os.setxattr(place, "trusted.overlay.opaque", b"y")
        seen, work = self._new_folder("base.seen"), self._new_folder("base.work")
        # A file system of its own: overlay refuses layers of which one is within another.
        return f"mount -t overlay overlay -o lowerdir=/,upperdir={folder},workdir={work} {seen}; "

    def _take(self, stage: Stage, layer: Layer, instruction: Instruction) -> None:
        match instruction.keyword:
            case "ARG":
                name, _, default = instruction.rest.partition("=")
                if value := os.environ.get(name) if name in PASSED_ON else default:
                    layer.variables[name] = value
            case "ENV":
                given = assignments(instruction)
                layer.variables |= {name: substituted(value, layer.variables) for name, value in given.items()}
            case "WORKDIR":
                layer.directory = "/"
                self._step(layer, f"mkdir -p {shlex.quote(instruction.rest)}", as_root=True)
                layer.directory = instruction.rest
            case "USER":
                layer.user = instruction.rest
            case "COPY":
                self._report(f"{stage.name}: COPY {instruction.rest}")
                self._copy(layer, instruction)
            case "RUN":
                self._report(f"{stage.name}: RUN {' '.join(instruction.rest.split())[:90]}")
                self._step(layer, instruction.rest, caches=_cache_targets(instruction))
            case "ENTRYPOINT":
                layer.entry_point = instruction.words
            case "CMD":
                layer.command = instruction.words
            case "HEALTHCHECK":
                layer.health_check = Instruction("CMD", instruction.rest.partition("CMD ")[2]).words

    def _copy(self, layer: Layer, instruction: Instruction) -> None:
        *sources, destination = instruction.words
        into = shlex.quote(destination if destination.startswith("/") else f"{layer.directory}/{destination}")
        origin = instruction.flag("from")
        found = f"{{root}}{into}"
        if origin is not None:
            other = self._layers[origin]
            mounted = self._new_folder(f"{origin}.seen")
            (source,) = sources
            before = f"mount -t overlay overlay -o {self._lower(other.stack)} {mounted}; "
            self._step(layer, "true", before=before + _copied(f"{mounted}{source}", found), as_root=True)
            return
        for source in sources:
            if not (self._context / source).exists() or not _is_sent(source, self._ignore):
                raise StepFailed(f"COPY {source}: it is not in the context, or .dockerignore leaves it out")
        copies = "".join(
            _copied(str(self._context / source), found, is_whole=len(sources) == 1) for source in sources
        )
        self._step(layer, "true", before=copies, as_root=True)

    def _step(
        self,
        layer: Layer,
        command: str,
        *,
        before: str = "",
        caches: Sequence[str] = (),
        as_root: bool = False,
    ) -> None:
        for target in caches:
            kept = self._caches.get(target)
            if kept is not None:
                kept.mkdir(parents=True, exist_ok=True)
                before += f"mkdir -p {{root}}{target}; mount --bind {shlex.quote(str(kept))} {{root}}{target}; "
        made = self._in_root(layer, command, before=before, user="0" if as_root else layer.user)
        if made.returncode != 0:
            tail = "\n".join((made.stdout + made.stderr).splitlines()[-30:])
            raise StepFailed(f"{' '.join(command.split())}\nended with {made.returncode}:\n{tail}")

    def _in_root(
        self,
        layer: Layer,
        command: str,
        *,
        before: str,
        user: str | None = None,
        is_read_only: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the layer's root, in namespaces of its own; nothing stays mounted."""
        root, work = self._new_folder("root"), self._new_folder("work")
        upper = self._lower(layer.stack if is_read_only else layer.below)
        if not is_read_only:
            upper += f",upperdir={layer.changes},workdir={work}"
        script = (
            f"set -e; {self._mount_host()}mount -t overlay overlay -o {upper} {root}; "
            f"mount --rbind /dev {root}/dev; mount -t proc proc {root}/proc; {before.replace('{root}', str(root))}"
            f"exec chroot --userspec={shlex.quote(user or layer.user)} {root} /bin/sh -c "
            + shlex.quote(f"cd {shlex.quote(layer.directory)} && {command}")
        )
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        home = {"HOME": "/root"} | layer.variables
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script],
            env=passed_on | home | dict(extra or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_TIMEOUT_SECONDS,
        )

    def _lower(self, stack: Sequence[Path]) -> str:
        return "lowerdir=" + ":".join(map(str, [*stack, self._directory / "base.seen"]))

    def _new_folder(self, name: str) -> Path:
        folder = self._directory / name
        if name.endswith(("root", "work", ".seen")):
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def why_not() -> str | None:
    """Return why steps cannot be run on this machine; None where they can."""
    if os.geteuid() != 0:
        return "running the steps of a Dockerfile needs root"
    if shutil.which("unshare") is None:
        return "unshare is not on PATH (Debian: util-linux)"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "this machine does not allow mount namespaces"


def _copied(source: str, into: str, *, is_whole: bool = True) -> str:
    """Return commands that copy as COPY does: a folder's content, or a file to a name or into a folder."""
    place = f"mkdir -p {into}; cp -R --preserve=mode,links {source}/. {into}/"
    parent = f"mkdir -p $(dirname {into}x); cp --preserve=mode {source} {into}"
    if not is_whole:
        return f"mkdir -p {into}; cp -R --preserve=mode,links {source} {into}; "
    return f"if [ -d {source} ]; then {place}; else {parent}; fi; "


def _cache_targets(instruction: Instruction) -> list[str]:
    mounts = [value for name, value in instruction.flags if name == "mount"]
    options = [dict(part.split("=", 1) for part in value.split(",")) for value in mounts]
    return [each["target"] for each in options if each["type"] == "cache"]


def _is_sent(source: str, ignore: str) -> bool:
    """Return whether a .dockerignore leaves a path in the context: its last matching line decides."""
    sent = True
    for line in ignore.splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and fnmatch.fnmatch(source, pattern.lstrip("!").rstrip("/")):
            sent = pattern.startswith("!")
    return sent
