"""References to images in compose files and Dockerfiles: found, read, and written again with a digest. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

UNNAMED: Final = "hub"
"""The registry of references without one: Docker's default."""
OURS: Final = "kascribe-"
"""Images that compose builds itself. They have no tag to resolve."""

_REFERENCE: Final = r"(?P<reference>[a-z0-9][a-z0-9._/:-]*:[\w][\w.-]*(?:@sha256:[0-9a-f]{64})?)"
_PLACES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^\s*image: (?:\$\{{\w+:-)?{_REFERENCE}\}}?$",
        rf"^\s*\w+_IMAGE: \$\{{\w+:-{_REFERENCE}\}}$",
        rf"^ARG \w+_IMAGE={_REFERENCE}$",
        rf"^# syntax={_REFERENCE}$",
    )
)
_DIGEST: Final = re.compile(r"^sha256:[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Image:
    """One image: registry, repository, tag, and the digest that it is pinned to, if any."""

    registry: str
    repository: str
    tag: str
    digest: str | None = None

    @property
    def name(self) -> str:
        """Its name with the tag, as people write it: without the name of Docker's default registry."""
        short = self.repository.removeprefix("library/") if self.registry == UNNAMED else self.repository
        return f"{short if self.registry == UNNAMED else f'{self.registry}/{short}'}:{self.tag}"

    @property
    def text(self) -> str:
        """Its reference, as it is written in a file. With a digest, Docker does not look at the tag."""
        return f"{self.name}@{self.digest}" if self.digest else self.name

    def pinned_to(self, digest: str) -> "Image":
        """Return the image with a digest. Raises ValueError for anything else."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no SHA-256 digest")
        return replace(self, digest=digest)


def parse(text: str) -> Image:
    """Read a reference with a tag, as Docker does: a first part with a dot, a port or localhost is a registry."""
    name, _, digest = text.partition("@")
    path, _, tag = name.rpartition(":")
    if not path or "/" in tag:
        raise ValueError(f"{text!r} has no tag")
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return Image(first, rest, tag, digest or None)
    return Image(UNNAMED, path if slash else f"library/{path}", tag, digest or None)


def images(text: str) -> Iterator[Image]:
    """Return the images that a file refers to, each as often as it stands there."""
    for line in text.splitlines():
        if (found := _found(line)) is not None:
            yield parse(found["reference"])


def rewritten(text: str, pinned: Mapping[str, Image]) -> str:
    """Return a file's text with the images of these names replaced; all else stays as it is."""
    return "".join(_rewritten_line(line, pinned) for line in text.splitlines(keepends=True))


def _rewritten_line(line: str, pinned: Mapping[str, Image]) -> str:
    found = _found(line.rstrip("\n"))
    image = pinned.get(parse(found["reference"]).name) if found else None
    if found is None or image is None:
        return line
    return line[: found.start("reference")] + image.text + line[found.end("reference") :]


def _found(line: str) -> re.Match[str] | None:
    found = next(filter(None, (place.match(line) for place in _PLACES)), None)
    return None if found is None or found["reference"].startswith(OURS) else found
