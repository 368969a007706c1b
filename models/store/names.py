"""Short names of models and their repositories: the CTranslate2 conversions that faster-whisper users know."""

import difflib
import re
from pathlib import Path
from typing import Final

REPOSITORIES: Final[dict[str, str]] = {
    "tiny": "Systran/faster-whisper-tiny",
    "tiny.en": "Systran/faster-whisper-tiny.en",
    "base": "Systran/faster-whisper-base",
    "base.en": "Systran/faster-whisper-base.en",
    "small": "Systran/faster-whisper-small",
    "small.en": "Systran/faster-whisper-small.en",
    "medium": "Systran/faster-whisper-medium",
    "medium.en": "Systran/faster-whisper-medium.en",
    "large-v1": "Systran/faster-whisper-large-v1",
    "large-v2": "Systran/faster-whisper-large-v2",
    "large-v3": "Systran/faster-whisper-large-v3",
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}

MEGABYTES: Final[dict[str, int]] = {
    "tiny": 78,
    "tiny.en": 78,
    "base": 148,
    "base.en": 148,
    "small": 486,
    "small.en": 486,
    "medium": 1_530,
    "medium.en": 1_530,
    "large-v1": 3_090,
    "large-v2": 3_090,
    "large-v3": 3_090,
    "large": 3_090,
    "large-v3-turbo": 1_620,
    "turbo": 1_620,
    "distil-small.en": 336,
    "distil-medium.en": 794,
    "distil-large-v2": 1_520,
    "distil-large-v3": 1_520,
    "distil-large-v3.5": 1_520,
}
"""About how much a pull fetches, by short name."""

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def repository_of(name: str) -> str | None:
    """Return ``org/repo`` for a short name such as ``turbo``, or for itself; None when it is neither."""
    if name in REPOSITORIES:
        return REPOSITORIES[name]
    return name if _REPOSITORY.fullmatch(name) else None


def directory_name(repository: str) -> str:
    """Convert ``org/repo`` to ``org--repo``, as in the caches of hubs."""
    return repository.replace("/", "--")


def short_names(repository: str) -> tuple[str, ...]:
    """Return the short names of a repository."""
    return tuple(name for name, target in REPOSITORIES.items() if target == repository)


def names_in_use(requested: str, directory: Path, repository: str | None) -> tuple[str, ...]:
    """Return the names of a running model, the best one first.

    ``requested`` is the name or path that led to ``directory``; ``repository`` is the source in its manifest. A
    path does not identify a model, so the names of its repository, or its last component, precede it.
    """
    is_path = Path(requested).expanduser() == directory
    known = repository or (None if is_path else repository_of(requested))
    of_repository = (*short_names(known), known) if known else ()
    candidates = (*of_repository, directory.resolve().name, requested) if is_path else (requested, *of_repository)
    return tuple(dict.fromkeys(candidates))


def nearest(name: str) -> str:
    """Return the end of a message about an unknown name: the nearest known one, else all."""
    close = difflib.get_close_matches(name, REPOSITORIES, n=1)
    return f"did you mean {close[0]}?" if close else f"known names are {', '.join(REPOSITORIES)}"
