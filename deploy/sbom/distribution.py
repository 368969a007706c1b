"""What a wheel says about itself, and what it contains besides Python."""

import re
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.bundle.target import Target
from deploy.bundle.wheels import Wheel

_LICENCE_NAME: Final = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)
_LIBRARY: Final = re.compile(r"(?P<name>lib[\w+]+?(?:-[a-z]+)?)-[0-9a-f]{8}\.so(?:\.(?P<version>[\d.]+))?$")
"""A shared library as auditwheel names it: ``libx264-d6533a8d.so.165``."""


@dataclass(frozen=True)
class Distribution:
    """One package. ``wheels`` are its files; more than one if each Python has its own."""

    wheels: tuple[Wheel, ...]

    @property
    def name(self) -> str:
        """The name, as locks write it."""
        return self.wheels[0].pin.name

    @property
    def version(self) -> str:
        """The version, as locks write it."""
        return self.wheels[0].pin.version

    @cached_property
    def metadata(self) -> Message:
        """The METADATA file."""
        with zipfile.ZipFile(self.wheels[0].path) as content:
            (name,) = (name for name in content.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
            return HeaderParser().parsestr(content.read(name).decode("utf-8"))

    @cached_property
    def licence_texts(self) -> dict[str, str]:
        """The texts of licences and notices in the wheel, by file name."""
        texts = {}
        with zipfile.ZipFile(self.wheels[0].path) as content:
            for name in sorted(content.namelist()):
                path = PurePosixPath(name)
                in_metadata = path.parts[0].endswith(".dist-info") and not name.endswith("/")
                if in_metadata and (_LICENCE_NAME.search(path.name) or "licenses" in path.parts[1:-1]):
                    texts["/".join(path.parts[1:])] = content.read(name).decode("utf-8", "replace")
        return texts

    @cached_property
    def libraries(self) -> tuple[tuple[str, str], ...]:
        """Name and version of the shared libraries of others that the wheel contains."""
        found = set()
        with zipfile.ZipFile(self.wheels[0].path) as content:
            for name in content.namelist():
                library = _LIBRARY.search(PurePosixPath(name).name)
                if library and ".libs/" in name:
                    found.add((library["name"], library["version"] or ""))
        return tuple(sorted(found))

    def requires(self, target: Target, extras: frozenset[str]) -> dict[str, frozenset[str]]:
        """Return the names of what it needs with these extras, each with the extras that it requests."""
        needed: dict[str, frozenset[str]] = {}
        for line in self.metadata.get_all("Requires-Dist", []):
            requirement = Requirement(line)
            marker = requirement.marker
            applies = marker is None or any(
                marker.evaluate({**target.markers(), "extra": extra}) for extra in ("", *extras)
            )
            if applies:
                name = canonicalize_name(requirement.name)
                needed[name] = needed.get(name, frozenset()) | frozenset(requirement.extras)
        return needed
