"""The model that ``kascribe up`` runs: a real one if available, otherwise the self-test model, with a warning."""

import os
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.text import Text

from models.store import SELFTEST, ModelStore
from schemas.errors import ConfigurationError, KascribeError, ModelNotFound
from schemas.settings import WhisperSettings

SELFTEST_INSTEAD: Final = Text.assemble(
    ("Running the self-test model:", "bold yellow"),
    " it knows spoken digits and a few commands in English and Korean, and nothing else. For real speech: "
    "kascribe models pull large-v3-turbo",
)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """``model`` is what KASCRIBE_WHISPER_MODEL is set to; ``why`` is for people."""

    model: str
    name: str
    why: str

    @property
    def is_selftest(self) -> bool:
        """Whether no real model is available."""
        return self.model == SELFTEST


def choose_model(settings: WhisperSettings, console: Console, *, is_named: bool) -> ModelChoice:
    """Return the model of the settings, fetched if needed; the self-test model instead of an unavailable default.

    Raises ConfigurationError when a model that the user named is not available, StoreError when it is damaged.
    """
    if settings.model == SELFTEST:
        return ModelChoice(SELFTEST, SELFTEST, "as requested: it knows digits and a few commands, nothing else")
    store = ModelStore.from_settings(settings, os.environ)
    try:
        return ModelChoice(settings.model, settings.model, str(store.path(settings.model)))
    except ModelNotFound as error:
        absent: KascribeError = error
    if not settings.offline:
        console.print(f"{settings.model} is not on disk; fetching it")
        try:
            return ModelChoice(settings.model, settings.model, str(store.resolve(settings.model)))
        except KascribeError as error:
            absent = error
    if is_named:
        raise ConfigurationError(
            f"the model that --model or KASCRIBE_WHISPER_MODEL names cannot be had: {absent}. "
            "`kascribe models list` shows what is here; --model selftest proves the installation without one"
        )
    console.print(Text.assemble(("No real model:", "bold yellow"), f" {absent}"))
    console.print(SELFTEST_INSTEAD)
    return ModelChoice(SELFTEST, SELFTEST, "digits and a few commands, nothing else")
