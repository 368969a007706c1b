"""OpenAI's Python client against the gateway: formats, fields, models and errors."""

import asyncio
from typing import Any

import openai
import pytest
from openai.types.audio import TranscriptionVerbose

from producers.results import ResultStore
from schemas.identity import job_id
from schemas.options import TranscribeOptions
from tests.flow.gateway import Gateway, GatewayBench
from tests.sound.wav_listener import PacedListener, wav_bytes

FILE = ("call.wav", wav_bytes(2), "audio/wav")
TEXT = "second 1. second 2."
DEPRECATED = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
"""OpenAI's client says so of its method for translations."""


def test_json_is_the_text_with_its_usage(client: openai.OpenAI) -> None:
    """The default format, in the client's own type."""
    answer = client.audio.transcriptions.create(file=FILE, model="whisper-1")
    assert answer.text == TEXT
    assert answer.usage is not None
    assert answer.usage.model_dump() == {"type": "duration", "seconds": 2}


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        ("text", f"{TEXT}\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:02,000\nsecond 1. second 2.\n\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nsecond 1. second 2.\n\n"),
    ],
)
def test_formats_of_text_come_as_strings(client: openai.OpenAI, response_format: Any, expected: str) -> None:
    """The client returns the body as it is."""
    answer = client.audio.transcriptions.create(file=FILE, model="whisper-1", response_format=response_format)
    assert answer == expected


def test_tsv_is_there_for_clients_that_take_bodies_as_they_are(client: openai.OpenAI) -> None:
    """OpenAI has no such format, so its client does not know what to make of it."""
    answer = client.audio.transcriptions.with_raw_response.create(
        file=FILE, model="whisper-1", extra_body={"response_format": "tsv"}
    )
    assert answer.headers["content-type"] == "text/tab-separated-values; charset=utf-8"
    assert answer.text == "start\tend\ttext\n0\t1000\tsecond 1.\n1000\t2000\tsecond 2.\n"


def test_verbose_json_has_the_types_of_openai(client: openai.OpenAI) -> None:
    """Strictly validated: the client itself takes anything. Segments only, as without granularities."""
    answer = client.audio.transcriptions.create(file=FILE, model="whisper-1", response_format="verbose_json")
    TranscriptionVerbose.model_validate(answer.model_dump(), strict=True)
    assert (answer.text, answer.language, answer.duration) == (TEXT, "english", 2.0)
    assert [(segment.id, segment.end) for segment in answer.segments or ()] == [(0, 1.0), (1, 2.0)]
    assert answer.words is None


@pytest.mark.parametrize(
    ("granularities", "segments", "words"),
    [(["word"], None, 4), (["segment"], 2, None), (["word", "segment"], 2, 4)],
)
def test_granularities_say_what_has_times(
    client: openai.OpenAI, granularities: Any, segments: int | None, words: int | None
) -> None:
    """Each that is named is in the answer, and no other."""
    answer = client.audio.transcriptions.create(
        file=FILE, model="whisper-1", response_format="verbose_json", timestamp_granularities=granularities
    )
    counts = [None if part is None else len(part) for part in (answer.segments, answer.words)]
    assert counts == [segments, words]
    assert answer.words is None or answer.words[0].model_dump() == {"word": "second", "start": 0.0, "end": 0.5}


def test_fields_become_options_of_the_job(client: openai.OpenAI, bench: GatewayBench) -> None:
    """OpenAI's under Kascribe's names, Kascribe's own as they are, and those without effect left out."""
    client.audio.transcriptions.create(
        file=FILE,
        model="listener",
        language="ko",
        prompt="a call",
        keywords=["Kascribe", "MinIO, Kafka"],
        languages=["en", "ko"],
        temperature=0.8,
        chunking_strategy={"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 300},
        extra_body={"beam_size": 1, "suppress_tokens": [-1, 7], "tenant": "team"},
        extra_headers={"Idempotency-Key": "fields"},
    )
    stored = ResultStore(bench.settings.s3, client=bench.client).find_job(job_id("fields"))
    assert stored is not None
    assert stored.reference is not None
    assert stored.reference.tenant == "team"
    assert stored.reference.options == TranscribeOptions.model_validate(
        {
            "language": "ko",
            "languages": ["en", "ko"],
            "initial_prompt": "a call",
            "hotwords": "Kascribe, MinIO, Kafka",
            "beam_size": 1,
            "vad_parameters": {"threshold": 0.6, "min_silence_duration_ms": 300},
            "suppress_tokens": [-1, 7],
            "model": "wav-listener",
        }
    )


def test_parameters_of_the_voice_detector_may_be_kascribe_s_own(client: openai.OpenAI) -> None:
    """The client writes an object as fields with brackets."""
    answer = client.audio.transcriptions.create(
        file=FILE,
        model="whisper-1",
        chunking_strategy="auto",
        extra_body={"vad_parameters": {"threshold": 0.6, "speech_pad_ms": 200}},
    )
    assert answer.text == TEXT


def test_models_are_the_names_that_requests_may_give(client: openai.OpenAI) -> None:
    """Aliases and what they stand for, each readable by itself."""
    names = {model.id for model in client.models.list()}
    assert {"whisper-1", "listener", "wav-listener"} <= names
    assert {client.models.retrieve(name).id for name in names} == names


@pytest.mark.parametrize(
    ("fields", "error", "param", "code"),
    [
        ({"model": "whisper-9"}, openai.NotFoundError, "model", "model_not_found"),
        ({"response_format": "diarized_json"}, openai.BadRequestError, "response_format", "invalid_options"),
        ({"include": ["logprobs"]}, openai.BadRequestError, "include", "invalid_options"),
        (
            {"timestamp_granularities": ["word"]},
            openai.BadRequestError,
            "timestamp_granularities",
            "invalid_options",
        ),
        ({"temperature": 2}, openai.BadRequestError, "temperature", "invalid_options"),
        ({"known_speaker_names": ["a"]}, openai.BadRequestError, "known_speaker_names", "invalid_options"),
        ({"language": "klingon"}, openai.BadRequestError, "language", "invalid_options"),
        ({"extra_body": {"beam_sizes": 1}}, openai.BadRequestError, "beam_sizes", "invalid_options"),
        ({"stream": True, "response_format": "srt"}, openai.BadRequestError, "stream", "invalid_options"),
        ({"file": ("a.wav", b"no audio")}, openai.BadRequestError, None, "audio_undecodable"),
        ({"file": ("a.wav", b"")}, openai.BadRequestError, None, "audio_empty"),
    ],
)
def test_errors_raise_the_client_s_own_exceptions(
    client: openai.OpenAI, fields: dict[str, Any], error: type[openai.APIStatusError], param: str, code: str
) -> None:
    """By OpenAI's statuses; the error names the field at fault and the reason."""
    with pytest.raises(error) as raised:
        client.audio.transcriptions.create(**{"file": FILE, "model": "whisper-1", **fields})
    assert (raised.value.param, raised.value.code) == (param, code)
    assert raised.value.type == "invalid_request_error"
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["message"]
    assert raised.value.request_id == raised.value.response.headers["x-trace-id"]


@DEPRECATED
def test_a_model_that_cannot_translate_says_so(client: openai.OpenAI) -> None:
    """The transcriber's refusal, in OpenAI's shape."""
    with pytest.raises(openai.BadRequestError, match="neither translates") as raised:
        client.audio.translations.create(file=FILE, model="whisper-1")
    assert raised.value.code == "invalid_options"


def test_a_job_that_takes_too_long_is_not_requested_again_by_itself(
    bench: GatewayBench, engine: PacedListener
) -> None:
    """The client would send the file twice more, each time for a job that is cancelled as well."""
    gateway = bench.gateway(answer_timeout_seconds=1.0)
    engine.gate.clear()
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="unused") as patient,
        pytest.raises(openai.InternalServerError) as raised,
    ):
        patient.audio.transcriptions.create(file=("late.wav", wav_bytes(5)), model="whisper-1")
    assert (raised.value.status_code, raised.value.code) == (504, "answer_timeout")
    assert raised.value.response.request.headers["x-stainless-retry-count"] == "0"


def test_a_key_makes_requests_one_job(client: openai.OpenAI, bench: GatewayBench) -> None:
    """As on Kascribe's own routes, by the header."""
    calls = bench.engine.calls
    for _ in range(2):
        client.audio.transcriptions.create(
            file=("a.wav", wav_bytes(4)), model="whisper-1", extra_headers={"Idempotency-Key": "call-7"}
        )
    assert bench.engine.calls == calls + 1
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.audio.transcriptions.create(
            file=FILE, model="whisper-1", language="ko", extra_headers={"Idempotency-Key": "call-7"}
        )
    assert raised.value.code == "idempotency_key_reused"


def test_the_client_for_event_loops_works_too(gateway: Gateway) -> None:
    """Several requests at once over one client."""

    async def transcribe() -> list[str]:
        address = f"http://127.0.0.1:{gateway.port}/v1"
        async with openai.AsyncOpenAI(base_url=address, api_key="unused", max_retries=0) as client:
            create = client.audio.transcriptions.create
            files = [("a.wav", wav_bytes(seconds)) for seconds in (1, 2, 3)]
            answers = await asyncio.gather(*(create(file=file, model="whisper-1") for file in files))
        return [answer.text for answer in answers]

    assert asyncio.run(transcribe()) == ["second 1.", TEXT, f"{TEXT} second 3."]
