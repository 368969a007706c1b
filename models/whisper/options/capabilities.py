"""Capabilities of a model, and the check of options against them."""

from dataclasses import dataclass
from typing import Final, Self

from schemas.errors import InvalidOptions
from schemas.options import Task, TranscribeOptions

UNTRANSLATING_NAMES: Final = ("turbo", "distil")
"""Families that were not trained to translate: they return the spoken language without an error."""
TOKENS_OF_MULTILINGUAL_MODELS: Final = 51_865
"""Those of the first multilingual models; English-only ones have one less, the third large one has one more."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one model supports, and the names that it is known by."""

    model: str
    languages: frozenset[str]
    translates: bool
    aliases: frozenset[str] = frozenset()
    token_count: int = TOKENS_OF_MULTILINGUAL_MODELS

    @classmethod
    def of(
        cls,
        model: str,
        *,
        multilingual: bool,
        languages: frozenset[str],
        translates: bool | None,
        aliases: frozenset[str] = frozenset(),
        token_count: int = TOKENS_OF_MULTILINGUAL_MODELS,
    ) -> Self:
        """Return the capabilities of a model; ``translates`` None derives that one from the names."""
        names = " ".join((model, *aliases)).lower()
        by_name = not any(family in names for family in UNTRANSLATING_NAMES)
        return cls(
            model,
            languages,
            multilingual and (by_name if translates is None else translates),
            aliases,
            token_count,
        )

    def check(self, options: TranscribeOptions) -> None:
        """Raise InvalidOptions when the model does not support the options."""
        if options.contradictions:
            raise InvalidOptions("; ".join(options.contradictions))
        if (last := max(options.suppress_tokens or (), default=-1)) >= self.token_count:
            # CTranslate2 would write beyond its scores.
            raise InvalidOptions(
                f"suppress_tokens: {self.model} has tokens 0 to {self.token_count - 1}, not {last}"
            )
        if options.model not in (None, self.model) and options.model not in self.aliases:
            raise InvalidOptions(f"model {options.model!r} is not served here; this deployment has {self.model!r}")
        if options.task is Task.TRANSLATE and not self.translates:
            raise InvalidOptions(
                f"{self.model} cannot translate: it was not trained for it; use task=transcribe, or a "
                "multilingual model such as large-v3"
            )
        if options.multilingual and self.languages == {"en"}:
            raise InvalidOptions(f"{self.model} knows English only: it cannot be multilingual; leave that out")
        named = (options.language, *(options.languages or ()))
        unknown = [code for code in named if code and code not in self.languages]
        if unknown:
            known = (
                "English only" if self.languages == {"en"} else f"{len(self.languages)} languages, not this one"
            )
            name = "language" if options.language in unknown else "among languages"
            raise InvalidOptions(
                f"{self.model} knows {known}, but {name} is {unknown[0]!r}; leave it out or name another"
            )
