"""Streams of OpenAI's Python client: text while it is made, its end, failures, and clients that leave."""

from collections.abc import Iterable

import openai
import pytest
from openai.types.audio import (
    TranscriptionStreamEvent,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
)

from producers.results import ResultStore
from schemas.errors import AudioUndecodable, EngineFailed
from schemas.identity import job_id
from tests.flow.gateway import Gateway, GatewayBench
from tests.sound.wav_listener import PacedListener, wav_bytes
from tests.support.waiting import eventually

KEY = "Idempotency-Key"


def file_of(seconds: int, rate: int) -> tuple[str, bytes]:
    """Return a file that no other test sends, by its rate: a transcript of the same content is reused."""
    return "call.wav", wav_bytes(seconds, sample_rate_hertz=rate)


def text_of(seconds: int) -> str:
    """Return what the engine recognises."""
    return " ".join(f"second {number}." for number in range(1, seconds + 1))


def split(events: Iterable[TranscriptionStreamEvent]) -> tuple[list[str], str]:
    """Return the deltas and the final text; nothing follows that."""
    *deltas, done = events
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert all(isinstance(event, TranscriptionTextDeltaEvent) for event in deltas)
    return [event.delta for event in deltas if isinstance(event, TranscriptionTextDeltaEvent)], done.text


def test_text_comes_while_the_rest_is_still_spoken(client: openai.OpenAI, engine: PacedListener) -> None:
    """The first text arrives before the job ends; all of it, put together, is the final text."""
    engine.flows.clear()
    with client.audio.transcriptions.create(file=file_of(4, 8_001), model="whisper-1", stream=True) as stream:
        first = next(stream)
        assert isinstance(first, TranscriptionTextDeltaEvent)
        assert (first.delta, engine.running) == ("second 1.", 1)
        engine.flows.set()
        deltas, text = split(stream)
    assert first.delta + "".join(deltas) == text == text_of(4)


def test_the_end_has_the_usage(client: openai.OpenAI) -> None:
    """By the length of the audio, as without a stream."""
    stream = client.audio.transcriptions.create(file=file_of(2, 8_002), model="whisper-1", stream=True)
    *_, done = stream
    assert done.to_dict() == {
        "type": "transcript.text.done",
        "text": text_of(2),
        "usage": {"type": "duration", "seconds": 2},
    }


def test_text_that_is_there_already_comes_at_once(client: openai.OpenAI, bench: GatewayBench) -> None:
    """A transcript of the same audio is reused: one delta has all of it."""
    calls = bench.engine.calls
    file = file_of(3, 8_003)
    for _ in range(2):
        deltas, text = split(client.audio.transcriptions.create(file=file, model="whisper-1", stream=True))
        assert "".join(deltas) == text == text_of(3)
    assert deltas == [text]
    assert bench.engine.calls == calls + 1


def test_silence_is_an_end_without_text(client: openai.OpenAI) -> None:
    """No delta, and no invented word."""
    stream = client.audio.transcriptions.create(
        file=("a.wav", wav_bytes(0.5)), model="whisper-1", stream=True, response_format="text"
    )
    assert split(stream) == ([], "")


def test_an_attempt_that_fails_repeats_no_text(client: openai.OpenAI, engine: PacedListener) -> None:
    """The next attempt begins again; the stream continues where it was."""
    engine.flows.clear()
    engine.breaks_with, calls = EngineFailed("the device went away"), engine.calls
    with client.audio.transcriptions.create(file=file_of(3, 8_004), model="whisper-1", stream=True) as stream:
        first = next(stream)
        assert isinstance(first, TranscriptionTextDeltaEvent)
        engine.flows.set()
        deltas, text = split(stream)
    assert engine.calls == calls + 2
    assert first.delta + "".join(deltas) == text == text_of(3)


def test_a_job_that_fails_before_its_text_has_a_status(client: openai.OpenAI) -> None:
    """As without a stream: nothing has been sent yet."""
    with pytest.raises(openai.BadRequestError) as raised:
        client.audio.transcriptions.create(file=("a.wav", b"no audio"), model="whisper-1", stream=True)
    assert raised.value.code == "audio_undecodable"


def test_a_job_that_fails_later_ends_the_stream_with_its_error(
    client: openai.OpenAI, engine: PacedListener
) -> None:
    """The client raises it while the events are read."""
    engine.flows.clear()
    engine.breaks_with = AudioUndecodable("the rest is no audio")
    with client.audio.transcriptions.create(file=file_of(3, 8_005), model="whisper-1", stream=True) as stream:
        next(stream)
        engine.flows.set()
        with pytest.raises(openai.APIError, match="the rest is no audio") as raised:
            next(stream)
    assert (raised.value.code, raised.value.type) == ("audio_undecodable", "invalid_request_error")


def test_a_client_that_leaves_cancels_its_job(
    client: openai.OpenAI, engine: PacedListener, bench: GatewayBench, gateway: Gateway
) -> None:
    """In the middle of the stream: the engine stops, and no transcript is made."""
    engine.flows.clear()
    with client.audio.transcriptions.create(
        file=file_of(3, 8_006), model="whisper-1", stream=True, extra_headers={KEY: "leaves"}
    ) as stream:
        next(stream)
    eventually(lambda: engine.running == 0, timeout_seconds=30, what="the job's end")
    eventually(lambda: gateway.requests_in_progress == 0, timeout_seconds=30, what="the request's end")
    assert gateway.waiting == 0
    assert ResultStore(bench.settings.s3, client=bench.client).find_job(job_id("leaves")) is None


def test_a_client_that_leaves_before_the_first_text_cancels_its_job(
    gateway: Gateway, engine: PacedListener
) -> None:
    """While nothing has been sent either."""
    engine.gate.clear()
    connection = gateway.begin("/v1/audio/transcriptions", file_of(3, 8_007)[1], stream="true")
    eventually(lambda: engine.running == 1, timeout_seconds=20, what="the job's start")
    connection.close()
    eventually(lambda: engine.running == 0, timeout_seconds=30, what="the job's end")
    eventually(lambda: gateway.requests_in_progress == 0, timeout_seconds=30, what="the request's end")


def test_a_gateway_that_stops_ends_streams_with_an_error(bench: GatewayBench, engine: PacedListener) -> None:
    """Not with a connection that breaks; a job with a key continues, and the same request gets its text."""
    stopping = bench.gateway()
    engine.flows.clear()
    file = file_of(3, 8_008)
    address = f"http://127.0.0.1:{stopping.port}/v1"
    with (
        openai.OpenAI(base_url=address, api_key="unused", max_retries=0) as client,
        client.audio.transcriptions.create(
            file=file, model="whisper-1", stream=True, extra_headers={KEY: "stops"}
        ) as stream,
    ):
        next(stream)
        stopping.server.finish_seconds = 0.1
        stopping.stop()
        with pytest.raises(openai.APIError) as raised:
            next(stream)
        assert (raised.value.code, raised.value.type) == ("stopping", "server_error")
    engine.flows.set()
    answer = bench.gateway().post("/v1/audio/transcriptions", file[1], headers={KEY: "stops"})
    assert answer.body["text"] == text_of(3)
