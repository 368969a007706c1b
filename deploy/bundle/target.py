"""The machines that a bundle is for: Linux on x86-64 with glibc 2.28 or later, and one version of Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from packaging.tags import Tag, compatible_tags, cpython_tags

ARCHITECTURE: Final = "x86_64"
GLIBC: Final = (2, 28)
"""Of RHEL 8, the oldest system on which Kascribe is to run."""
PYTHONS: Final = ("3.11", "3.12")

_LEGACY_NAMES: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def platforms() -> tuple[str, ...]:
    """Return the platform tags that such a machine can use, the newest first.

    pip matches a platform exactly, so each must be named.
    """
    return tuple(_platforms())


def _platforms() -> Iterator[str]:
    for minor in range(GLIBC[1], 4, -1):
        yield f"manylinux_{GLIBC[0]}_{minor}_{ARCHITECTURE}"
        if name := _LEGACY_NAMES.get(minor):
            yield f"{name}_{ARCHITECTURE}"


@dataclass(frozen=True)
class Target:
    """One version of CPython, such as 3.12, on such a machine."""

    python: str

    @property
    def version(self) -> tuple[int, int]:
        """The version in numbers."""
        major, minor = self.python.split(".")
        return int(major), int(minor)

    @cached_property
    def ranks(self) -> dict[Tag, int]:
        """The tags of wheels that it can install, each with its rank; 0 is the best."""
        known = platforms()
        interpreter = f"cp{self.python.replace('.', '')}"
        tags = [*cpython_tags(self.version, platforms=known), *compatible_tags(self.version, interpreter, known)]
        return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}

    def markers(self) -> dict[str, str]:
        """Return what environment markers see on it; the patch release is the first."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": ARCHITECTURE,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }
