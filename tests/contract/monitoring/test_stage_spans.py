"""The steps of both stages as spans: which there are, what they tell, and what they never tell."""

from collections.abc import Iterator

import pytest

from models.vllm.enricher import Enricher
from models.whisper.transcriber import Transcriber
from schemas.errors import AudioNotFound, AudioUndecodable
from schemas.monitoring.spans import SpanKind
from schemas.options import TranscribeOptions
from schemas.settings import S3Settings, VllmSettings, WhisperSettings
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.monitoring.traced import traced
from tests.contract.transcriber.stage_jobs import Runtime, reference_record, stage_on, uri
from tests.contract.vllm.vllm_double import VllmDouble
from tests.contract.vllm.vllm_faults import Fault
from tests.sound.wav_listener import WavListener, wav_bytes
from tests.support.listening import model_directory, speech

CLIP = "en-digits.ogg"


async def no_pause(seconds: float) -> None:
    """Return at once."""


@pytest.fixture(scope="module")
def transcriber() -> Iterator[Transcriber]:
    """Load the small model once."""
    each = Transcriber(WhisperSettings(device="cpu", decoder_processes=1), model_directory(), "test-model")
    each.warm_up()
    yield each
    each.close()


@pytest.mark.usefixtures("moto_store")
def test_a_transcription_fetches_transcribes_and_stores(settings: S3Settings) -> None:
    """Each request to the bucket belongs to a step, and the job is named where the trace begins."""
    job = Runtime().job(reference_record(uri(settings), idempotency_key="call", tenant="clinic"))
    with traced() as sink:
        stage_on(settings, WavListener()).process(job)
    attempt, fetch = sink.one("attempt"), sink.one("fetch")
    assert sink.children(attempt) == ["fetch", "transcribe", "store transcript", "store result"]
    assert attempt.attributes["kascribe.tenant"] == "clinic"
    assert attempt.attributes["kascribe.reused"] is False
    assert fetch.attributes["aws.s3.bucket"] == settings.bucket
    assert fetch.attributes["kascribe.object_size_bytes"] == len(wav_bytes(3))
    assert sink.one("transcribe").attributes["kascribe.audio_seconds"] == 3.0
    assert "second 1" not in repr(sink.spans)


@pytest.mark.usefixtures("moto_store")
def test_the_same_content_is_not_transcribed_again(settings: S3Settings) -> None:
    """The trace says why it took so little."""
    stage = stage_on(settings, WavListener())
    stage.process(Runtime().job(reference_record(uri(settings), event_id="a")))
    with traced() as sink:
        stage.process(Runtime().job(reference_record(uri(settings), event_id="b", offset=1)))
    attempt = sink.one("attempt")
    assert sink.children(attempt) == ["fetch", "store result"]
    assert attempt.attributes["kascribe.reused"] is True


@pytest.mark.usefixtures("moto_store")
def test_a_step_that_fails_has_the_reason(settings: S3Settings) -> None:
    """And the step in which it failed is the one that is marked."""
    with traced() as sink, pytest.raises(AudioNotFound):
        stage_on(settings, WavListener()).process(Runtime().job(reference_record(uri(settings, "gone.wav"))))
    assert sink.one("fetch").error == "audio_not_found"


def test_a_job_has_one_span_for_all_calls_of_the_model(transcriber: Transcriber) -> None:
    """Each call is an event of it: its rows, those of the job, its time and the wait before it."""
    with traced() as sink:
        transcript = transcriber.transcribe(speech(CLIP), TranscribeOptions(word_timestamps=True))
    attempt, hear, decode = sink.one("attempt"), sink.one("hear"), sink.one("decode")
    assert sink.children(attempt) == ["decode", "hear"]
    assert sink.children(decode) == ["speech detection"]
    assert sink.children(hear) == ["align"]
    batches = [event for event in hear.events if event.name == "batch"]
    rows = sum(int(str(event.attributes["kascribe.batch.job_rows"])) for event in batches)
    assert (len(batches), rows) == (hear.attributes["kascribe.batches"], hear.attributes["kascribe.rows"])
    assert hear.attributes["kascribe.decoded_tokens"] == transcript.usage.decoded_tokens
    assert decode.attributes["kascribe.decoded_seconds"] == pytest.approx(4.74, abs=0.1)
    for event in batches:
        assert hear.started_ns <= event.at_ns <= hear.ended_ns
    assert transcript.text not in repr(sink.spans)


def test_a_file_that_cannot_be_decoded_fails_in_its_decoding(transcriber: Transcriber) -> None:
    """No model was called, so there is no span of it."""
    with traced() as sink, pytest.raises(AudioUndecodable):
        transcriber.transcribe(model_directory() / "config.json", TranscribeOptions())
    assert sink.one("decode").error == "audio_undecodable"
    assert sink.named("hear") == []


def test_a_request_to_the_language_model_is_a_span_and_tells_the_server(double: VllmDouble) -> None:
    """By the conventions for generative AI; a request that failed and its repetition are two spans."""
    double.faults.append(Fault.ERROR)
    settings = VllmSettings(base_url=double.base_url, timeout_seconds=5, concurrency_limit=4)
    segments = spoken(60)
    with Enricher(settings, sleep=no_pause) as enricher, traced() as sink:
        enricher.enrich(request_for(enricher, segments, "summary"))
    attempt, profile = sink.one("attempt"), sink.one("profile")
    assert sink.children(attempt) == ["plan", "profile"]
    assert sink.children(profile)[-1] == "validate"
    failed, answered, *_ = chats = [span for span in sink.spans if span.name.startswith("chat ")]
    assert (failed.error, answered.error) == ("ServerFailed", None)
    assert {chat.kind for chat in chats} == {SpanKind.CLIENT}
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.response.finish_reasons": ("stop",),
        "server.address": "127.0.0.1",
        "http.request.resend_count": 1,
    }
    assert wanted.items() <= answered.attributes.items()
    assert int(str(answered.attributes["gen_ai.usage.input_tokens"])) > 0
    sent = double.completion_requests[-1].headers["traceparent"]
    assert sent == f"00-{attempt.trace_id}-{chats[-1].span_id}-01"
    assert not any(segment.text in repr(sink.spans) for segment in segments if len(segment.text) > 20)
