"""Forms of OpenAI's clients, read into Kascribe's options, and the fields that are refused."""

import pytest
from starlette.datastructures import FormData

from producers.gateway.failures import RequestRefused
from producers.gateway.forms.requests import transcribe_options
from producers.gateway.openai.speech_request import (
    OPENAI_FIELDS,
    REFUSED_FIELDS,
    Granularity,
    SpeechRequest,
    speech_request_of,
)
from schemas.options import ExportFormat, Task, TranscribeOptions


def read(*fields: tuple[str, str], task: Task = Task.TRANSCRIBE) -> SpeechRequest:
    """Read a form with these fields."""
    return speech_request_of(FormData(list(fields)), task=task)


def refusal_of(*fields: tuple[str, str]) -> RequestRefused:
    """Return the refusal of a form with these fields."""
    with pytest.raises(RequestRefused) as raised:
        read(*fields)
    assert raised.value.status == 400
    return raised.value


def test_a_form_with_only_a_file_is_transcribed_as_json() -> None:
    """Also where a browser sends every field, most of them empty."""
    for form in ((), (("language", ""), ("prompt", ""), ("timestamp_granularities[]", ""), ("stream", ""))):
        wanted = read(*form)
        assert (wanted.model, wanted.response_format, wanted.is_streamed) == ("", ExportFormat.JSON, False)
        assert wanted.granularities == {Granularity.SEGMENT}
        assert transcribe_options(wanted.form) == TranscribeOptions()


@pytest.mark.parametrize(
    ("fields", "option", "value"),
    [
        ([("prompt", "a call")], "initial_prompt", "a call"),
        ([("initial_prompt", "a call")], "initial_prompt", "a call"),
        ([("keywords[]", "MinIO"), ("keywords[]", "Kafka, Inc")], "hotwords", "MinIO, Kafka, Inc"),
        ([("hotwords", "MinIO")], "hotwords", "MinIO"),
        ([("languages[]", "ko"), ("languages[]", "en")], "languages", ("en", "ko")),
        ([("languages", "ko,en")], "languages", ("en", "ko")),
        ([("suppress_tokens[]", "7"), ("suppress_tokens[]", "-1")], "suppress_tokens", (-1, 7)),
        ([("language", "de"), ("language", "fr")], "language", "fr"),
        ([("vad", "false")], "vad", False),
    ],
)
def test_fields_are_options_under_their_names(fields: list[tuple[str, str]], option: str, value: object) -> None:
    """Lists as OpenAI's clients write them, or separated by commas."""
    assert getattr(transcribe_options(read(*fields).form), option) == value


@pytest.mark.parametrize(
    "fields",
    [
        [("chunking_strategy[type]", "server_vad"), ("chunking_strategy[prefix_padding_ms]", "200")],
        [("chunking_strategy", '{"type": "server_vad", "prefix_padding_ms": 200}')],
        [("vad_parameters[speech_pad_ms]", "200")],
        [("vad_parameters", "speech_pad_ms=200"), ("chunking_strategy", "auto")],
    ],
)
def test_the_voice_detector_is_set_by_either_name(fields: list[tuple[str, str]]) -> None:
    """As an object of fields or of JSON, or as pairs."""
    parameters = transcribe_options(read(*fields).form).vad_parameters
    assert parameters is not None
    assert parameters.model_dump(exclude_unset=True) == {"speech_pad_ms": 200}


@pytest.mark.parametrize("temperature", ["0", "0.0", "0.8", "1"])
def test_a_temperature_of_openai_s_range_changes_nothing(temperature: str) -> None:
    """Clients send one by habit; nothing is sampled, so every one has the effect of 0."""
    assert transcribe_options(read(("temperature", temperature)).form) == TranscribeOptions()


def test_the_route_decides_on_the_task() -> None:
    """The form cannot contradict it."""
    assert transcribe_options(read(task=Task.TRANSLATE).form).task is Task.TRANSLATE


@pytest.mark.parametrize("written", ["true", "1", "True"])
def test_a_stream_is_requested_as_clients_write_a_flag(written: str) -> None:
    """With either format of text."""
    assert read(("stream", written)).is_streamed
    assert read(("stream", written), ("response_format", "text")).is_streamed


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ([("temperature", "1.5")], "temperature", "from 0 to 1"),
        ([("temperature", "nan")], "temperature", "from 0 to 1"),
        ([("temperature", "warm")], "temperature", "from 0 to 1"),
        ([("stream", "yes")], "stream", "true or false"),
        ([("stream", "true"), ("response_format", "vtt")], "stream", "leave out stream, or response_format=vtt"),
        ([("response_format", "yaml")], "response_format", "known names are"),
        ([("response_format", "diarized_json")], "response_format", "channels=split"),
        ([("timestamp_granularities[]", "word")], "timestamp_granularities", "response_format=verbose_json"),
        (
            [("timestamp_granularities[]", "char"), ("response_format", "verbose_json")],
            "timestamp_granularities",
            "word or segment, not 'char'",
        ),
        ([("include[]", "logprobs")], "include", "avg_logprob"),
        ([("include[]", "segments")], "include", "leave it out"),
        ([("prompt", "a"), ("initial_prompt", "b")], "prompt", "one option"),
        ([("keywords[]", "a"), ("hotwords", "b")], "keywords", "one option"),
        ([("chunking_strategy", "manual")], "chunking_strategy", "an object in JSON"),
        ([("chunking_strategy", "[1]")], "chunking_strategy", "an object in JSON"),
        ([("chunking_strategy[type]", "silence")], "chunking_strategy", "server_vad"),
        (
            [("chunking_strategy[type]", "server_vad"), ("chunking_strategy[create_response]", "true")],
            "chunking_strategy",
            "no 'create_response'",
        ),
        (
            [("chunking_strategy[type]", "server_vad"), ("vad_parameters", "threshold=0.6")],
            "chunking_strategy",
            "one option",
        ),
        ([("lanugage", "en")], "lanugage", "did you mean language?"),
        ([("a[b][c]", "en")], "a[b][c]", "there is no field"),
        ([("condition_on_previous_text", "true")], "condition_on_previous_text", "side by side"),
    ],
)
def test_what_cannot_be_had_is_refused_by_its_name(
    fields: list[tuple[str, str]], param: str, message: str
) -> None:
    """With what to send instead."""
    refused = refusal_of(*fields)
    assert refused.param == param
    assert message in refused.message


@pytest.mark.parametrize("name", REFUSED_FIELDS)
def test_fields_of_openai_or_kascribe_that_have_no_place_here_say_why(name: str) -> None:
    """No such field is read, in either way of writing it."""
    for written in (name, f"{name}[]"):
        assert refusal_of((written, "a")).param == name
    assert name not in OPENAI_FIELDS
