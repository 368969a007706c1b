"""``POST /transcribe`` in every format, and with segments, words and exports on request."""

import http.client
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from producers.results import ResultStore
from schemas.options import ExportFormat, TranscribeOptions
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Transcript
from tests.flow.gateway import Gateway, GatewayBench, gateway_bench, multipart
from tests.flow.mock_cluster import MockCluster
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import running_object_store

TEXT: Final = "second 1. second 2."
NARROW: Final = SubtitleSettings(line_characters=10, lines=1)


@pytest.fixture(scope="module")
def bench() -> Iterator[GatewayBench]:
    """Open a bench with a transcriber."""
    with (
        MockCluster() as broker,
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        opened.start_transcriber()
        yield opened


@pytest.fixture(scope="module")
def gateway(bench: GatewayBench) -> Gateway:
    """Start a gateway with subtitles narrower than by default."""
    return bench.gateway(settings=bench.settings.model_copy(update={"subtitles": NARROW}))


def raw(gateway: Gateway, **fields: str) -> tuple[int, str, str]:
    """Post a file and return the status, the content type and the body as it is."""
    body, content_type = multipart(wav_bytes(2), **fields)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    try:
        connection.request("POST", "/transcribe", body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return answer.status, answer.headers["content-type"], answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("response_format", list(ExportFormat))
def test_each_format_is_the_export_of_that_name(
    gateway: Gateway, bench: GatewayBench, response_format: ExportFormat
) -> None:
    """The same bytes as the transcriber's own file, in the deployment's width of subtitles."""
    answer = gateway.post("/transcribe", wav_bytes(2), headers={"Idempotency-Key": f"f-{response_format}"})
    status, content_type, body = raw(gateway, response_format=response_format)
    assert (status, content_type) == (200, EXPORTERS[response_format].content_type)
    transcript = _stored(bench, answer.body["job_id"])
    rendered = EXPORTERS[response_format].render(transcript, NARROW)
    assert json.loads(body) == json.loads(rendered) if "json" in content_type else body == rendered


def test_the_answer_without_either_field_is_as_it_was(gateway: Gateway) -> None:
    """Byte for byte: programs that read it do not change."""
    status, content_type, body = raw(gateway, language="en")
    job_id = json.loads(body)["job_id"]
    assert (status, content_type) == (200, "application/json")
    assert body == f'{{"success":true,"text":"{TEXT}","language":"en","job_id":"{job_id}","flags":[]}}'


def test_segments_and_words_are_added_on_request(gateway: Gateway) -> None:
    """Words are timed without another option, and name their segments; nothing is there twice."""
    answer = gateway.post("/transcribe", wav_bytes(2), include="segments, words").body
    assert answer["text"] == TEXT
    assert [(segment["start"], segment["text"]) for segment in answer["segments"]] == [
        (0.0, "second 1."),
        (1.0, "second 2."),
    ]
    assert all("words" not in segment and segment["flags"] == [] for segment in answer["segments"])
    assert answer["words"][2] == {"word": " second", "start": 1.0, "end": 1.5, "probability": 0.9, "segment": 1}
    assert "exports" not in answer


def test_the_addresses_of_exports_are_added_on_request(gateway: Gateway, bench: GatewayBench) -> None:
    """Of those that the option exports requests."""
    answer = gateway.post("/transcribe", wav_bytes(2), exports="srt,vtt", include=["exports"]).body
    assert list(answer["exports"]) == ["srt", "vtt"]
    assert all(uri.startswith(f"s3://{bench.settings.s3.bucket}/") for uri in answer["exports"].values())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response_format": "sbv"}, "there is no 'sbv'"),
        ({"response_format": "SRTT"}, "did you mean srt?"),
        ({"include": "segment"}, "did you mean segments?"),
        ({"include": "exports"}, "add exports=srt,vtt"),
        ({"include": "words", "word_timestamps": "false"}, "leave word_timestamps out"),
        ({"include": "segments", "response_format": "json"}, "leave one of the two out"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_the_job(
    gateway: Gateway, fields: dict[str, Any], message: str
) -> None:
    """With what to send instead."""
    answer = gateway.post("/transcribe", wav_bytes(2), **fields)
    assert (answer.status, answer.reason) == (400, "invalid_options")
    assert message in answer.body["error"]["message"]


def test_one_format_is_no_answer_of_the_other_route(gateway: Gateway) -> None:
    """It has more than the transcript; the message says what it has instead."""
    answer = gateway.post("/transcribe-and-process", wav_bytes(2), instruction="Summarize.", response_format="srt")
    assert (answer.status, answer.reason) == (400, "invalid_options")
    assert "include=segments,words,exports" in answer.body["error"]["message"]


def _stored(bench: GatewayBench, job_id: str) -> Transcript:
    transcript = ResultStore(bench.settings.s3, client=bench.client).find_job_transcript(job_id)
    assert transcript is not None
    assert transcript.options == TranscribeOptions()
    return transcript
