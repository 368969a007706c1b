"""Options written as text: in forms, in the metadata of objects and on the command line. Pure."""

from collections.abc import Collection
from typing import Final

from pydantic_core import from_json

from schemas.options.misspelling import NAME_CHARACTERS, did_you_mean

PAIR_FORM: Final = "write threshold=0.6,speech_pad_ms=200, or an object in JSON"


def token_ids_of(text: str) -> list[object]:
    """Split token ids at their commas, with or without brackets. Text that is no number is kept as it is."""
    bare = text.strip().removeprefix("[").removesuffix("]")
    return [_number(part.strip()) for part in bare.split(",") if part.strip()]


def pairs_of(text: str, known: Collection[str]) -> dict[str, object]:
    """Read ``name=value`` pairs at their commas, or a JSON object. Raises ValueError for a name not ``known``."""
    pairs = _object(text) if text.lstrip().startswith("{") else dict(_pair(part) for part in text.split(","))
    for name in pairs:
        if name not in known:
            raise ValueError(f"there is no {name[:NAME_CHARACTERS]!r}: {did_you_mean(name, known)}")
    return pairs


def _object(text: str) -> dict[str, object]:
    try:
        return dict(from_json(text))
    except ValueError as error:
        raise ValueError(f"this is not a JSON object; {PAIR_FORM}") from error


def _pair(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text.strip()[:NAME_CHARACTERS]!r} has no value; {PAIR_FORM}")
    return name.strip(), _number(value.strip())


def _number(text: str) -> object:
    """Return the number that the text writes, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
