"""What a bundle is made of, written into a folder."""

import math
import os
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.bundle.archive import write_sums
from deploy.bundle.errors import BundleError
from deploy.bundle.selection import ROOT, Selection, run, uv
from deploy.bundle.target import ARCHITECTURE, GLIBC
from deploy.bundle.wheels import Wheel, sha256_of

INSTALLER: Final = Path(__file__).parent / "installer"
DOCUMENTS: Final = ("README.md", "README.ko.md", "CHANGELOG.md", "LICENSE")
ENVIRONMENT_KIB: Final = 20 * 1024
"""Room for the documents."""
BLOCKS: Final = 1.05
"""What file systems add, in blocks that are not full: 3 % were measured on a bundle with cuBLAS."""
WHEEL_SECONDS: Final = 120.0


def project() -> dict[str, Any]:
    """Return what pyproject.toml says of the project."""
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def version() -> str:
    """Return the version of this checkout."""
    return str(project()["version"])


def own_wheel(folder: Path, date: int) -> Path:
    """Build Kascribe's wheel from this checkout into ``folder``. Raises BundleError."""
    command = ["env", f"SOURCE_DATE_EPOCH={date}", uv(), "build", "--quiet", "--no-build-isolation", "--wheel"]
    run([*command, "--out-dir", str(folder), str(ROOT)], "Kascribe's own wheel cannot be built", WHEEL_SECONDS)
    (wheel,) = folder.glob("kascribe-*.whl")
    return wheel


def write(
    folder: Path,
    selection: Selection,
    wheels: Mapping[str, Sequence[Wheel]],
    own: Path,
    pip: Wheel,
    models: Sequence[str] = (),
) -> None:
    """Complete a bundle in ``folder``, which may hold models already: ``wheels`` are by version of Python.

    The digests of all files are written last. Raises BundleError.
    """
    _write_wheels(folder, wheels, own)
    (folder / "pip").mkdir()
    _link(pip.path, folder / "pip" / pip.path.name)
    shutil.copy2(INSTALLER / "install.sh", folder / "install.sh")
    (folder / "install.sh").chmod(0o755)
    shutil.copytree(ROOT / "deploy" / "systemd", folder / "systemd")
    (folder / "settings").mkdir()
    shutil.copyfile(ROOT / ".env.example", folder / "settings" / "kascribe.env.example")
    for name in DOCUMENTS:
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(ROOT / "docs", folder / "docs")
    _write_description(folder, selection, wheels, own, models)
    strange = [path for path in folder.rglob("*") if path.is_symlink() or set("\n\\") & set(path.name)]
    if strange:
        raise BundleError(f"{strange[0]} cannot be in a bundle: it is a link, or its name has a line end")
    write_sums(folder)


def _write_wheels(folder: Path, wheels: Mapping[str, Sequence[Wheel]], own: Path) -> None:
    (folder / "wheels").mkdir()
    (folder / "requirements").mkdir()
    for wheel in {wheel.path: wheel for chosen in wheels.values() for wheel in chosen}:
        _link(wheel, folder / "wheels" / wheel.name)
    _link(own, folder / "wheels" / own.name)
    for python, chosen in wheels.items():
        lines = [wheel.requirement for wheel in chosen]
        lines += [f"kascribe=={version()} --hash=sha256:{sha256_of(own)}"]
        (folder / "requirements" / f"python{python}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write_description(
    folder: Path,
    selection: Selection,
    wheels: Mapping[str, Sequence[Wheel]],
    own: Path,
    models: Sequence[str],
) -> None:
    """Write what the installer must know, one ``NAME=value`` a line."""
    largest = max(sum(wheel.installed_bytes for wheel in chosen) for chosen in wheels.values())
    model_bytes = sum(file.stat().st_size for file in (folder / "models").rglob("*") if file.is_file())
    lines = {
        "VERSION": version(),
        "ROLE": selection.role,
        "ARCHITECTURE": ARCHITECTURE,
        "GLIBC": ".".join(map(str, GLIBC)),
        "PYTHONS": " ".join(sorted(wheels, key=lambda python: int(python.split(".")[1]), reverse=True)),
        "CHECK": selection.check,
        "INSTALLED_KIB": str(
            ENVIRONMENT_KIB + math.ceil(BLOCKS * (largest + 4 * own.stat().st_size + model_bytes) / 1024)
        ),
        "MODELS": " ".join(models),
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    (folder / "bundle.conf").write_text(text, encoding="utf-8")
