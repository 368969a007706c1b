"""Bundles with a program of a few lines in place of Kascribe, so that an installation takes seconds."""

import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.bundle.contents import version, write
from deploy.bundle.errors import BundleError
from deploy.bundle.selection import Selection
from deploy.bundle.wheels import Wheel, pip_wheel, sha256_of
from deploy.stack.cache import default_cache
from tests.support.listening import missing

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_PROGRAM: Final = """
import sys
def main():
    print({release!r})
    sys.exit({status} if sys.argv[1:2] == ["selftest"] else 0)
"""


@dataclass(frozen=True)
class SmallBundle:
    """An unpacked bundle. The installed ``kascribe`` prints ``release``."""

    folder: Path
    release: str

    @property
    def installer(self) -> Path:
        """The script to run."""
        return self.folder / "install.sh"

    @property
    def name(self) -> str:
        """The name of the folder that the installer makes of it."""
        return f"{version()}-{sha256_of(self.folder / 'SHA256SUMS')[:8]}"


def _pip(selection: Selection) -> Wheel:
    try:
        return pip_wheel(selection.locks(), selection.targets()[0], default_cache() / "wheels")
    except BundleError as error:
        missing(str(error))


def small_bundle(
    directory: Path, release: str = "first", *, status: int = 0, python: str = PYTHON, model: str = ""
) -> SmallBundle:
    """Write a bundle into a new directory; ``kascribe selftest`` of its program ends with ``status``."""
    folder = directory / f"bundle-{release}"
    (folder / "models").mkdir(parents=True)
    if model:
        (folder / "models" / model).mkdir()
        (folder / "models" / model / "model.bin").write_text(release)
    own = directory / f"own-{release}" / f"kascribe-{version()}-py3-none-any.whl"
    own.parent.mkdir()
    metadata = f"kascribe-{version()}.dist-info"
    files = {
        "kascribe_program.py": _PROGRAM.format(release=release, status=status),
        f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: kascribe\nVersion: {version()}\n",
        f"{metadata}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{metadata}/entry_points.txt": "[console_scripts]\nkascribe = kascribe_program:main\n",
    }
    with zipfile.ZipFile(own, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{metadata}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{metadata}/RECORD"]))
    selection = Selection(pythons=(python,))
    write(folder, selection, {python: ()}, own, _pip(selection), [model] if model else [])
    return SmallBundle(folder, release)
