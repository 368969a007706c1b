"""What a model can do, and the options that ask for more."""

from dataclasses import dataclass
from typing import Self

from schemas.errors import InvalidOptions
from schemas.options import Task, TranscribeOptions

UNTRANSLATING_NAMES = ("turbo", "distil")
"""Families that were not trained to translate: they answer in the language spoken, silently."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Of one model, by its names."""

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
        """``translates`` None judges by the names."""
        names = " ".join((model, *aliases)).lower()
        named = not any(part in names for part in UNTRANSLATING_NAMES)
        return cls(model, languages, multilingual and (named if translates is None else translates), aliases)

    def check(self, options: TranscribeOptions) -> None:
        """Raises InvalidOptions when the options ask for what the model cannot do."""
        if options.model not in (None, self.model) and options.model not in self.aliases:
            raise InvalidOptions(f"model {options.model!r} is not served here; this deployment has {self.model!r}")
        if options.task is Task.TRANSLATE and not self.translates:
            raise InvalidOptions(
                f"{self.model} cannot translate: it was not trained for it; ask for task=transcribe, or for a "
                "multilingual model such as large-v3"
            )
        if options.language is not None and options.language not in self.languages:
            known = (
                "English only" if self.languages == {"en"} else f"{len(self.languages)} languages, not this one"
            )
            raise InvalidOptions(
                f"{self.model} knows {known}, but language is {options.language!r}; leave it out or name another"
            )
