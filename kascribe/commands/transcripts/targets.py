"""The files that transcripts are written to: chosen before anything is transcribed, complete or not there."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from kascribe.sources.arguments import Source
from schemas.errors import ConfigurationError

NAMED_AT_MOST: Final = 3
PARTIAL: Final = ".partial"


def targets_of(
    sources: Sequence[Source], directory: Path, extension: str, *, may_replace: bool
) -> dict[Source, Path]:
    """Return the target of each source, ``call.wav.srt`` for ``call.wav``, in a folder that is made if needed.

    Files of folders and patterns keep their folders. Raises ConfigurationError for two sources with one target,
    for targets that are there unless they may be replaced, and for a folder that cannot be made.
    """
    targets = {source: _target(source, directory, extension) for source in sources}
    _refuse_shared(targets)
    there = [str(target) for target in targets.values() if target.exists()]
    if there and not may_replace:
        more = f" and {len(there) - NAMED_AT_MOST} more" if len(there) > NAMED_AT_MOST else ""
        raise ConfigurationError(
            f"{', '.join(there[:NAMED_AT_MOST])}{more}: there already; --force replaces what is there"
        )
    try:
        for folder in {directory, *(target.parent for target in targets.values())}:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--output-dir {directory} cannot be made: {error.strerror}") from error
    return targets


def write_whole(target: Path, text: str) -> None:
    """Write a file in one step: it is complete, or as it was. Raises OSError."""
    partial = target.with_name(target.name + PARTIAL)
    partial.write_text(text, encoding="utf-8")
    partial.replace(target)


def _target(source: Source, directory: Path, extension: str) -> Path:
    # A name that a user gave may have any parts; none leads out of the folder.
    parts = [part for part in PurePosixPath(source.file_name).parts if part not in ("/", "..", ".")]
    *folders, last = parts or ["unnamed"]
    return directory.joinpath(*folders, f"{last}.{extension}")


def _refuse_shared(targets: dict[Source, Path]) -> None:
    owners: dict[Path, Source] = {}
    for source, target in targets.items():
        other = owners.setdefault(target, source)
        if other != source:
            raise ConfigurationError(
                f"{other.location} and {source.location} would both be written to {target}: give each an "
                "--output-dir of its own"
            )
