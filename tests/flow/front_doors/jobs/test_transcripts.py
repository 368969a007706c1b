"""The transcript of a finished job in every format, and why a job has none."""

from typing import Final

import pytest
from deepgram.types import ListenV1Response

from kascribe.submission.submitter import SubmissionRequest
from kascribe.wiring.clients import opened_submitter
from producers.gateway.jobs.transcripts import TranscriptFormat
from producers.results import ResultStore
from schemas.options import TranscribeOptions
from schemas.transcripts.transcript import Transcript
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import GatewayBench
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore
from tests.support.waiting import eventually

WORDS: Final = "true"

BEGINNINGS: Final = {
    TranscriptFormat.FULL: ("application/json", '{"schema_version"'),
    TranscriptFormat.JSON: ("application/json", '{"text": "second 1. second 2."'),
    TranscriptFormat.VERBOSE_JSON: ("application/json", '{"task": "transcribe"'),
    TranscriptFormat.TEXT: ("text/plain; charset=utf-8", "second 1. second 2.\n"),
    TranscriptFormat.SRT: ("application/x-subrip; charset=utf-8", "1\n00:00:00,000 --> "),
    TranscriptFormat.VTT: ("text/vtt; charset=utf-8", "WEBVTT\n\n"),
    TranscriptFormat.TSV: ("text/tab-separated-values; charset=utf-8", "start\tend\ttext\n0\t1000\tsecond 1.\n"),
    TranscriptFormat.AWS: ("application/json", '{"jobName": "'),
    TranscriptFormat.DEEPGRAM: ("application/json", '{"metadata": {'),
}


@pytest.fixture
def client(bench: GatewayBench) -> JobClient:
    """Start the transcriber and a replica."""
    bench.start_transcriber()
    return JobClient(bench.gateway().port)


def test_a_transcript_comes_in_every_format_with_its_type_and_tag(client: JobClient) -> None:
    """Each has a tag of its own, by which it is not sent again while it is the same."""
    job_id = client.submit(wav_bytes(2), word_timestamps=WORDS).body["job_id"]
    tags = set()
    assert BEGINNINGS.keys() == set(TranscriptFormat)
    for wanted, (content_type, beginning) in BEGINNINGS.items():
        answer = client.transcript(job_id, wanted)
        assert (answer.status, answer.headers["content-type"]) == (200, content_type)
        assert answer.content.decode().startswith(beginning)
        assert answer.headers["cache-control"] == "private, no-cache"
        tag = answer.headers["etag"]
        tags.add(tag)
        path = f"/v1/jobs/{job_id}/transcript?as={wanted}"
        for given in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            again = client.get(path, if_none_match=given)
            assert (again.status, again.content, again.headers["etag"]) == (304, b"", tag)
        assert client.get(path, if_none_match='"other"').status == 200
    assert len(tags) == len(BEGINNINGS)


def test_the_default_is_the_stored_transcript_itself(bench: GatewayBench, client: JobClient) -> None:
    """Byte for byte what is in the bucket."""
    job_id = client.submit(wav_bytes(1)).body["job_id"]
    answer = client.transcript(job_id)
    stored = ResultStore(bench.settings.s3, client=bench.client).find_job(job_id)
    assert stored is not None
    key = f"kascribe-results/transcripts/{stored.content_key}.json"
    body = bench.client.get_object(Bucket=bench.settings.s3.bucket, Key=key)["Body"].read()
    assert client.get(f"/v1/jobs/{job_id}/transcript").content == answer.content == body
    assert Transcript.model_validate_json(answer.content).text == "second 1."


def test_deepgrams_own_models_read_what_is_served(client: JobClient) -> None:
    """A program that read Deepgram's responses reads ours."""
    job_id = client.submit(wav_bytes(2), word_timestamps=WORDS).body["job_id"]
    response = ListenV1Response.model_validate_json(client.transcript(job_id, "deepgram").content)
    assert response.metadata.request_id == job_id
    alternatives = response.results.channels[0].alternatives
    assert alternatives is not None
    assert alternatives[0].transcript == "second 1. second 2."


def test_shapes_made_of_words_need_a_job_with_words(client: JobClient) -> None:
    """409 says how to request them, and what has the times of segments; the other formats are served."""
    job_id = client.submit(wav_bytes(1)).body["job_id"]
    assert client.transcript(job_id, "verbose_json").status == 200
    for wanted in ("aws", "deepgram"):
        refused = client.transcript(job_id, wanted)
        assert refused.refusal == (409, "words_missing")
        assert "word_timestamps=true" in refused.body["error"]["message"]
    silent = client.submit(wav_bytes(0.5)).body["job_id"]
    assert client.transcript(silent, "aws").body["results"]["items"] == []


def test_an_unknown_format_is_refused(client: JobClient) -> None:
    """The message lists the known ones."""
    job_id = client.submit(wav_bytes(1)).body["job_id"]
    client.transcript(job_id)
    refused = client.get(f"/v1/jobs/{job_id}/transcript?as=docx")
    assert refused.refusal == (422, "invalid_request")
    assert "deepgram" in refused.body["error"]["message"]


def test_a_transcript_that_left_the_bucket_is_gone(bench: GatewayBench, client: JobClient) -> None:
    """As after a lifecycle rule: the job is known, its words are not."""
    job_id = client.submit(wav_bytes(1)).body["job_id"]
    client.transcript(job_id)
    bucket = bench.settings.s3.bucket
    for key in bench.client.list_objects_v2(Bucket=bucket, Prefix="kascribe-results/transcripts/")["Contents"]:
        bench.client.delete_object(Bucket=bucket, Key=key["Key"])
    for wanted in ("full", "srt"):
        assert client.get(f"/v1/jobs/{job_id}/transcript?as={wanted}").refusal == (410, "transcript_gone")


def test_jobs_that_other_producers_published_are_served_too(
    bench: GatewayBench, client: JobClient, store: ObjectStore
) -> None:
    """A reference over Kafka gives a job like any other, before and after it is finished."""
    store.put(bench.settings.s3, "call.wav", wav_bytes(1))
    with opened_submitter(bench.settings) as submitter:
        request = SubmissionRequest(options=TranscribeOptions())
        job_id = submitter.submit(f"s3://{bench.settings.s3.bucket}/call.wav", request).job_id
    eventually(lambda: client.get(f"/v1/jobs/{job_id}/transcript").status == 200, timeout_seconds=30)
    assert client.transcript(job_id, "json").body["text"] == "second 1."
