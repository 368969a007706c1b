"""Which repository a model's short name means: the CTranslate2 conversions that faster-whisper users know."""

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

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def repository_of(name: str) -> str | None:
    """``turbo`` or ``org/repo`` to ``org/repo``; None when it is neither."""
    if name in REPOSITORIES:
        return REPOSITORIES[name]
    return name if _REPOSITORY.fullmatch(name) else None


def directory_name(repository: str) -> str:
    """``org/repo`` to ``org--repo``, which is how hubs' own caches write it."""
    return repository.replace("/", "--")


def short_names(repository: str) -> tuple[str, ...]:
    """The short names that mean this repository."""
    return tuple(name for name, target in REPOSITORIES.items() if target == repository)


def names_in_use(asked: str, directory: Path, repository: str | None) -> tuple[str, ...]:
    """What a model that runs may be called, the best name first.

    ``asked`` is the name or path that found ``directory``; ``repository`` is where its manifest says that it is
    from. A path says nothing about a model, so the names of its repository, or its last part, come before it.
    """
    is_path = Path(asked).expanduser() == directory
    known = repository or (None if is_path else repository_of(asked))
    of_repository = (*short_names(known), known) if known else ()
    return tuple(
        dict.fromkeys((*of_repository, directory.resolve().name, asked) if is_path else (asked, *of_repository))
    )


def nearest(name: str) -> str:
    """The end of a sentence about an unknown name."""
    close = difflib.get_close_matches(name, REPOSITORIES, n=1)
    return f"did you mean {close[0]}?" if close else f"known names are {', '.join(REPOSITORIES)}"
