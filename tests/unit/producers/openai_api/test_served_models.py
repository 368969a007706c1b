"""Names of models, and the model that each stands for."""

import pytest
from pydantic import ValidationError

from producers.gateway.failures import RequestRefused
from producers.gateway.openai.served_models import ServedModels
from schemas.settings import GatewaySettings


@pytest.mark.parametrize(
    ("aliases", "model", "names"),
    [
        (("whisper-1",), "large-v3-turbo", {"whisper-1": None, "large-v3-turbo": "large-v3-turbo"}),
        ((), "/models/my-whisper/", {"my-whisper": "my-whisper"}),
        ((), "org/model", {"org/model": "org/model"}),
        (
            ("whisper-1=large-v3", "gpt-transcribe"),
            "turbo",
            {"whisper-1": "large-v3", "gpt-transcribe": None, "turbo": "turbo", "large-v3": "large-v3"},
        ),
        (("turbo=large-v3",), "turbo", {"turbo": "large-v3", "large-v3": "large-v3"}),
    ],
)
def test_names_are_those_of_the_setting_and_of_the_models_themselves(
    aliases: tuple[str, ...], model: str, names: dict[str, str | None]
) -> None:
    """An alias alone stands for whatever is served; a model's own name requests that model."""
    assert ServedModels.of(aliases, model=model).names == names


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    """404 with OpenAI's code, so that its clients raise the right exception."""
    with pytest.raises(RequestRefused, match="Available: large-v3, whisper-1") as raised:
        ServedModels.of(("whisper-1",), model="large-v3").option_of("whisper-2")
    assert (raised.value.status, raised.value.reason, raised.value.param) == (404, "model_not_found", "model")


@pytest.mark.parametrize("alias", ["", "=large", "whisper-1=", "a=b=c", "a b"])
def test_a_setting_that_names_nothing_is_refused(alias: str) -> None:
    """At start, not with the first request."""
    with pytest.raises(ValidationError):
        GatewaySettings(models=(alias,))
