"""Detection of misspelt names. Pure."""

import difflib
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final

SIMILARITY_MINIMUM_LETTERS: Final = 6
"""Letters from which names are compared by similarity. Shorter names resemble too many others: ``mode``, which
backup tools write, is not a misspelt ``model``."""

SIMILARITY_MINIMUM: Final = 0.87
"""Minimum ratio of ``difflib``. Accepts one letter too many, too few or wrong; ``enriched`` and ``tenantid`` count
as other words."""

NAME_CHARACTERS: Final = 64
"""Limit of names compared or quoted; longer than any known one. A comparison costs the product of lengths."""

NAMES_LIMIT: Final = 100
"""Limit of unknown names that are compared, the first ones: a misspelt option is not expected among so many other
fields, and a record of a megabyte would keep a worker busy for minutes."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, else all of them."""
    by_letters = {_letters(each): each for each in known}
    nearest = difflib.get_close_matches(_letters(name[:NAME_CHARACTERS]), by_letters, n=1, cutoff=0.6)
    if nearest:
        return f"did you mean {by_letters[nearest[0]]}?"
    return f"known names are {', '.join(sorted(by_letters.values()))}"


def misspelt(name: str, known: Collection[str]) -> str | None:
    """Return the known name that ``name`` misspells; None for a known name, and for a different word.

    A misspelling differs in case and separators (``idempotencyKey``), in the order of its letters, or, for long
    names, in one letter: a name with the same letters comes before one with another.
    """
    if name in known or len(name) > NAME_CHARACTERS:
        return None
    letters = _letters(name)
    for each in known:
        known_letters = _letters(each)
        if letters == known_letters or (len(known_letters) > 3 and sorted(letters) == sorted(known_letters)):
            return each
    for each in known:
        known_letters = _letters(each)
        is_similar = difflib.SequenceMatcher(None, letters, known_letters).ratio() >= SIMILARITY_MINIMUM
        if len(known_letters) >= SIMILARITY_MINIMUM_LETTERS and is_similar:
            return each
    return None


def misspellings(names: Iterable[str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield each of the unknown ``names`` that is misspelt, with the known name; see ``NAMES_LIMIT``."""
    for name in islice(names, NAMES_LIMIT):
        if (meant := misspelt(name, known)) is not None:
            yield name, meant


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
