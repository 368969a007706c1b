"""Capabilities of a model, and the check of options against them."""

from dataclasses import dataclass
from typing import Final, Self

from schemas.errors import InvalidOptions
from schemas.options import Task, TranscribeOptions

UNTRANSLATING_NAMES: Final = ("turbo", "distil")
"""Families that were not trained to translate: they return the spoken language without an error."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one model supports, and the names that it is known by."""

    model: str
    languages: frozenset[str]
    translates: bool
    aliases: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        model: str,
        *,
        multilingual: bool,
        languages: frozenset[str],
        translates: bool | None,
        aliases: frozenset[str] = frozenset(),
    ) -> Self:
        """Return the capabilities of a model; ``translates`` None derives that one from the names."""
        names = " ".join((model, *aliases)).lower()
        by_name = not any(family in names for family in UNTRANSLATING_NAMES)
        return cls(model, languages, multilingual and (by_name if translates is None else translates), aliases)

    def check(self, options: TranscribeOptions) -> None:
        """Raise InvalidOptions when the model does not support the options."""
        if options.model not in (None, self.model) and options.model not in self.aliases:
            raise InvalidOptions(f"model {options.model!r} is not served here; this deployment has {self.model!r}")
        if options.task is Task.TRANSLATE and not self.translates:
            raise InvalidOptions(
                f"{self.model} cannot translate: it was not trained for it; use task=transcribe, or a "
                "multilingual model such as large-v3"
            )
        if options.language is not None and options.language not in self.languages:
            known = (
                "English only" if self.languages == {"en"} else f"{len(self.languages)} languages, not this one"
            )
            raise InvalidOptions(
                f"{self.model} knows {known}, but language is {options.language!r}; leave it out or name another"
            )
