"""Settings loaded from an environment of the test's own."""

import pytest

from kascribe.configuration.reading import Loaded, describe, load
from schemas.errors import ConfigurationError


def loaded(environment: dict[str, str] | None = None, **overrides: object) -> Loaded:
    """Load the settings of an environment; ``whisper__device`` stands for the key ``whisper.device``."""
    named = {key.replace("__", "."): value for key, value in overrides.items()}
    return load(environment={} if environment is None else environment, overrides=named)


def refusal(environment: dict[str, str] | None = None, **overrides: object) -> str:
    """Return the message that the user gets."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(environment, **overrides)
    return str(caught.value)


def shown(result: Loaded) -> dict[str, tuple[str, str]]:
    """Return value and source by key."""
    return {row.key: (row.value, row.source) for row in describe(result)}
