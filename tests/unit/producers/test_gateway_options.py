"""The options of a job in the form of a request."""

from contextlib import AbstractAsyncContextManager

import pytest
from starlette.datastructures import FormData

from producers.gateway.app import create_app
from producers.gateway.failures import RequestRefused
from producers.gateway.forms.presentation import INCLUDE, PRESENTATION_FIELDS
from producers.gateway.forms.requests import ENRICHING_FIELDS, FORM_FIELDS, transcribe_options
from producers.gateway.services import Services
from schemas.options import Channels, ExportFormat, Task, TranscribeOptions, VadParameters
from schemas.settings import GatewaySettings
from tests.support.decoding_options import DECODING_MEANT, DECODING_WRITTEN


def test_every_transcribe_option_is_a_form_field() -> None:
    """Each field of the options by its own name, typed; lists by commas or by repetition."""
    form = {
        "language": "KO",
        "languages": "EN, ko",
        "multilingual": "true",
        "task": "translate",
        "word_timestamps": "true",
        "channels": "split",
        "initial_prompt": "names",
        "hotwords": "Kascribe",
        "beam_size": "3",
        "audio_track": "1",
        **DECODING_WRITTEN,
        "vad_parameters": '{"threshold": 0.6}',
        "model": "tiny",
    }
    assert {*form, "exports"} == set(TranscribeOptions.model_fields)
    asked = transcribe_options(FormData([*form.items(), ("exports", "srt, vtt"), ("exports", "text")]))
    assert asked == TranscribeOptions(
        language="ko",
        languages=("en", "ko"),
        multilingual=True,
        task=Task.TRANSLATE,
        word_timestamps=True,
        channels=Channels.SPLIT,
        initial_prompt="names",
        hotwords="Kascribe",
        beam_size=3,
        audio_track=1,
        **DECODING_MEANT,
        vad_parameters=VadParameters(threshold=0.6),
        model="tiny",
        exports=(ExportFormat.SRT, ExportFormat.VTT, ExportFormat.TEXT),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("language", "klingon"),
        ("beam_size", "99"),
        ("beam_size", "x"),
        ("task", "sing"),
        ("exports", "srt,doc"),
        ("temperature", "0.2"),
        ("vad_parameters", "treshold=0.6"),
        ("vad_parameters", "speech_pad_ms=800,max_speech_duration_s=2"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(name: str, value: str) -> None:
    """400 invalid_options, and the message names the field."""
    with pytest.raises(RequestRefused, match=name) as refused:
        transcribe_options(FormData([(name, value)]))
    assert (refused.value.status, refused.value.reason) == (400, "invalid_options")


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        ("/transcribe", FORM_FIELDS | PRESENTATION_FIELDS),
        ("/transcribe-and-process", FORM_FIELDS | ENRICHING_FIELDS | {INCLUDE}),
    ],
)
def test_openapi_describes_every_field_of_a_form(route: str, fields: frozenset[str]) -> None:
    """By name, with its values and its meaning; lists and objects are text in a form."""

    def closed() -> AbstractAsyncContextManager[Services]:
        raise AssertionError("nothing is served")

    paths = create_app(GatewaySettings(), open_services=closed).openapi()["paths"]
    form = paths[route]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == fields
    assert form["properties"]["patience"]["maximum"] == 10
    assert form["properties"]["task"]["enum"] == ["transcribe", "translate"]
    assert (
        form["properties"]["vad_parameters"]["type"] == form["properties"]["suppress_tokens"]["type"] == "string"
    )
