"""Which model ``kascribe up`` runs."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from kascribe.embedded.model_choice import choose_model
from schemas.errors import ConfigurationError
from schemas.settings import WhisperSettings


def settings_for(model: str, directory: Path) -> WhisperSettings:
    """Of a machine with no model and no network."""
    return WhisperSettings(model=model, models_directory=directory, offline=True)


@pytest.mark.parametrize("model", ["../my-whisper", "large-v3-turbo"])
def test_a_model_that_was_named_is_not_replaced(tmp_path: Path, model: str) -> None:
    """Whoever asks for a model gets it, or hears why not and what to do."""
    with pytest.raises(ConfigurationError, match=f"{model} is not .*--model selftest"):
        choose_model(settings_for(model, tmp_path), Console(quiet=True), is_named=True)


def test_who_names_no_model_and_has_none_gets_the_self_test_model_said_loudly(tmp_path: Path) -> None:
    """The first start works on any machine, and nobody takes it for speech recognition."""
    written = io.StringIO()
    choice = choose_model(
        settings_for("large-v3-turbo", tmp_path), Console(file=written, width=400), is_named=False
    )
    assert choice.is_selftest
    assert "kascribe models pull large-v3-turbo" in written.getvalue()
