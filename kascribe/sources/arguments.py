"""From arguments of the command line to the files and addresses that they name."""

import difflib
import glob
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from kascribe.sources.folders import HIDDEN, files_in
from kascribe.sources.media import is_media, is_media_name
from schemas.errors import ConfigurationError

S3_SCHEME: Final = "s3://"
STANDARD_INPUT: Final = "-"
NO_MEDIA: Final = "neither audio nor video"
NAMED_AT_MOST: Final = 3
"""Names in the message about what was left out."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file or an address, its name for people, and what tells versions of an object at an address apart.

    ``file_name`` is the name as the file system has it, relative to the folder or pattern that stands for it.
    """

    location: str
    name: str
    version: str | None = None
    file_name: str = ""
    is_piped: bool = False

    @property
    def shown(self) -> str:
        """What a user recognises it by: its path as it was given or found, its name if it was piped."""
        return self.name if self.is_piped else self.location

    @property
    def is_object(self) -> bool:
        """Whether it is in a bucket."""
        return self.location.startswith(S3_SCHEME)


@dataclass
class Sources:
    """What arguments name, each once, and what was left out of folders, patterns and prefixes, by why."""

    found: list[Source] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def add(self, source: Source) -> None:
        """Add a source, unless it is there already."""
        place = source.location if source.is_object else os.path.abspath(source.location)  # noqa: PTH100 - no links
        if place not in self._seen:
            self._seen.add(place)
            self.found.append(source)

    def leave_out(self, name: str, why: str) -> None:
        """Note what is not taken."""
        self.left_out.setdefault(why, []).append(name)

    def take(self, others: "Sources") -> None:
        """Add all of others."""
        for source in others.found:
            self.add(source)
        for why, names in others.left_out.items():
            self.left_out.setdefault(why, []).extend(names)

    def named(self, name: str | None) -> list[Source]:
        """Return the sources, the only one under the name, if there is one. Raises ConfigurationError."""
        if name is None:
            return self.found
        if len(self.found) > 1:
            raise ConfigurationError(f"--name is that of one file, and these are {len(self.found)}: leave it out")
        return [replace(source, name=name, file_name=name) for source in self.found]

    def left_out_sentences(self) -> Iterator[str]:
        """Yield a sentence for each reason to leave something out, with the first names."""
        for why, names in self.left_out.items():
            more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
            yield f"left out, {why}: {', '.join(names[:NAMED_AT_MOST])}{more}"


ListObjects = Callable[[str], Iterable[Source]]
"""Lists the objects below ``s3://bucket/prefix``, with names relative to it."""


def readable(name: str) -> str:
    """Return a file's name as text that can be sent: bytes that are not UTF-8 (old archives) are replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


def sources_of(
    arguments: Iterable[str],
    *,
    standard_input: Callable[[], Source],
    list_objects: ListObjects | None = None,
) -> Sources:
    """Return what arguments name. A named file is taken whatever it is; of others, what looks like media.

    A folder stands for the files in it at any depth, a pattern for the files that match it, an address that ends
    in ``/`` for the objects below it, ``-`` for standard input. Blocks while folders are read and objects are
    listed. Raises ConfigurationError for what is not there, for folders and patterns without media, and for
    addresses where ``list_objects`` is None; and what the callables raise.
    """
    sources = Sources()
    for argument in arguments:
        sources.take(_sources_of_one(argument, standard_input, list_objects))
    return sources


def _sources_of_one(
    argument: str, standard_input: Callable[[], Source], list_objects: ListObjects | None
) -> Sources:
    sources, path = Sources(), Path(argument)
    if argument == STANDARD_INPUT:
        sources.add(standard_input())
    elif argument.startswith(S3_SCHEME):
        _add_objects(sources, argument, list_objects)
    elif path.is_dir():
        _add_folder(sources, path)
    elif path.exists() and not path.is_file():
        raise ConfigurationError(f"{argument} is no file: pipe it to this command, with - in its place")
    elif path.exists():
        sources.add(_file(path, path.name))
    elif glob.has_magic(argument):
        _add_matches(sources, argument)
    else:
        raise ConfigurationError(_missing(argument))
    return sources


def _add_folder(sources: Sources, folder: Path) -> None:
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be listed: {error.strerror}; see `ls -ld {folder}`") from error

    def leave_out(path: Path, why: str) -> None:
        sources.leave_out(readable(path.relative_to(folder).as_posix()), why)

    for path, _ in files_in(folder, on_skipped=leave_out):
        _add_media(sources, path, path.relative_to(folder).as_posix())
    _require(sources, f"no audio or video is in {folder}")


def _add_matches(sources: Sources, pattern: str) -> None:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes hidden files, too
    files = [path for path in map(Path, matches) if path.is_file()]
    # Relative to the folder that all matches are in, so that files of one name can be told apart.
    base = Path(os.path.commonpath([file.parent for file in files])) if files else Path()
    for path in files:
        _add_media(sources, path, path.relative_to(base).as_posix())
    # Brackets occur in names.
    is_name = not files and not any(sign in pattern for sign in "*?")
    problem = _missing(pattern) if is_name else f"no audio or video matches {pattern}"
    _require(sources, problem)


def _add_objects(sources: Sources, address: str, list_objects: ListObjects | None) -> None:
    if list_objects is None:
        raise ConfigurationError(f"{address} is in a bucket: `kascribe submit` takes it, this command takes files")
    bucket, separator, key = address.removeprefix(S3_SCHEME).partition("/")
    if not bucket:
        raise ConfigurationError(f"{address} names no bucket: write s3://bucket/key, or s3://bucket/prefix/")
    if key and not key.endswith("/"):
        sources.add(Source(address, key.rsplit("/", 1)[-1]))
        return
    for found in list_objects(address if separator else f"{address}/"):
        if found.name.startswith(".") or "/." in found.name:
            sources.leave_out(found.name, HIDDEN)
        elif is_media_name(found.name):
            sources.add(found)
        else:
            sources.leave_out(found.name, NO_MEDIA)
    _require(sources, f"no audio or video is below {address}")


def _add_media(sources: Sources, path: Path, file_name: str) -> None:
    try:
        if is_media(path):
            sources.add(_file(path, file_name))
        else:
            sources.leave_out(readable(file_name), NO_MEDIA)
    except OSError as error:
        sources.leave_out(readable(file_name), str(error.strerror))


def _file(path: Path, file_name: str) -> Source:
    return Source(str(path), readable(file_name), file_name=file_name)


def _require(sources: Sources, problem: str) -> None:
    if not sources.found:
        raise ConfigurationError("; ".join((problem, *sources.left_out_sentences())))


def _missing(argument: str) -> str:
    """Return the sentence about a file that is not there, with the name that is most like it."""
    path, names = Path(argument), []
    with suppress(OSError):
        names = [entry.name for entry in path.parent.iterdir()]
    close = difflib.get_close_matches(path.name, names, n=1)
    nearest = f": did you mean {path.with_name(close[0])}?" if close else ""
    return f"there is no file or folder {argument}{nearest}"
