"""The page's files: read once from this package, each with its type and its entity tag."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""What is served, by the end of the name; licences and notes beside it are not."""

START: Final = "index.html"


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file; ``etag`` is a strong validator (RFC 9110, section 8.8.3)."""

    body: bytes
    media_type: str
    etag: str


@cache
def page_files() -> Mapping[str, PageFile]:
    """Return every file by its path below ``site``."""
    return dict(_walk(files(__package__) / "site", ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, PageFile]]:
    for child in sorted(folder.iterdir(), key=lambda child: child.name):
        if child.is_dir():
            yield from _walk(child, f"{prefix}{child.name}/")
        elif media_type := TYPES.get(child.name[child.name.rfind(".") :]):
            body = child.read_bytes()
            yield prefix + child.name, PageFile(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
