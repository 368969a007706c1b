"""What the result store promises over any S3 server: run on moto's in process, and on a real MinIO."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from producers.results import ResultStore
from schemas.errors import (
    DependencyDown,
    InvalidEvent,
    Reason,
)
from schemas.events import AudioReference, TranscriptEvent
from schemas.kafka.records import Coordinates
from schemas.object_addresses import ObjectAddress
from schemas.options import ExportFormat, TranscribeOptions
from schemas.results import AcceptedJob, FailedRequest, StoredJob
from schemas.settings import S3Settings
from schemas.transcripts.transcript import (
    AudioFacts,
    SourceObject,
    StageTiming,
    Transcript,
    TranscriptStatus,
    Usage,
)
from tests.sound.provenance import PROVENANCE
from tests.support.object_store import ObjectStore


class ResultSuite:
    """What ``ResultStore`` promises. Subclasses give the fixture ``store``."""

    @pytest.fixture
    def settings(self, store: ObjectStore) -> S3Settings:
        """Return a bucket of one's own."""
        return store.settings()

    @pytest.fixture
    def results(self, store: ObjectStore, settings: S3Settings) -> ResultStore:
        """Return a store of results in it."""
        return ResultStore(settings, client=store.client)

    def test_a_job_is_found_as_it_was_created(self, results: ResultStore) -> None:
        """Nothing of a job is lost in the bucket."""
        assert results.find_job("j1") is None
        job = stored_job("j1", offset=7)
        assert results.create_job(job) == job
        assert results.find_job("j1") == job

    def test_the_first_record_owns_a_job(self, results: ResultStore) -> None:
        """A later record gets the first one's result, and changes nothing."""
        first, second = stored_job("j1", offset=1), stored_job("j1", offset=2)
        results.create_job(first)
        assert results.create_job(second).owner == first.owner
        assert results.find_job("j1") == first

    def test_of_many_that_create_a_job_at_once_one_owns_it(self, results: ResultStore) -> None:
        """All writers are told the same owner."""
        together = threading.Barrier(8)

        def create(offset: int) -> Coordinates:
            together.wait(timeout=30)
            return results.create_job(stored_job("j1", offset=offset)).owner

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(create, range(8)))) == 1

    def test_the_first_request_of_an_accepted_job_is_kept(self, results: ResultStore) -> None:
        """Of two requests with one key the second is told what the first one requested."""
        assert results.find_accepted("j1") is None
        first = accepted_job("j1", uri="s3://audio/a.wav")
        assert results.claim_accepted(first) == first
        assert results.claim_accepted(accepted_job("j1", uri="s3://audio/b.wav")) == first
        assert results.find_accepted("j1") == first

    def test_failures_of_a_job_are_listed_oldest_first(self, results: ResultStore) -> None:
        """The last one says how the job stands; other jobs' are not among them."""
        later, sooner, other = (
            failed("j1", "a", minute=2),
            failed("j1", "b", minute=1),
            failed("j10", "a", minute=3),
        )
        for each in (later, sooner, other):
            results.claim_failure(each)
        assert results.failures_of("j1") == [sooner, later]
        assert results.failures_of("j2") == []

    def test_a_transcript_is_found_by_its_content(self, results: ResultStore, settings: S3Settings) -> None:
        """The body comes back as it was, from the address that was told before."""
        assert results.find_transcript("c1") is None
        assert results.put_transcript("c1", TRANSCRIPT) == results.transcript_uri("c1")
        assert results.find_transcript("c1") == TRANSCRIPT
        assert results.transcript_uri("c1") == f"s3://{settings.bucket}/kascribe-results/transcripts/c1.json"

    def test_exports_carry_their_content_type(
        self, store: ObjectStore, results: ResultStore, settings: S3Settings
    ) -> None:
        """A browser shows an export for what it is."""
        uri = results.put_export("j1", ExportFormat.VTT, b"WEBVTT\n", "text/vtt; charset=utf-8")
        answer = store.client.get_object(Bucket=settings.bucket, Key=ObjectAddress.parse(uri).key)
        assert (answer["Body"].read(), answer["ContentType"]) == (b"WEBVTT\n", "text/vtt; charset=utf-8")

    def test_results_may_have_a_bucket_of_their_own(self, store: ObjectStore, settings: S3Settings) -> None:
        """Uploads and results can be kept apart."""
        other = store.settings()
        apart = settings.model_copy(update={"results_bucket": other.bucket, "results_prefix": "r/"})
        ResultStore(apart, client=store.client).create_job(stored_job("j1", offset=1))
        assert (store.keys(settings.bucket), store.keys(other.bucket)) == ([], ["r/jobs/j1.json"])

    def test_what_another_release_wrote_is_not_misread(
        self, store: ObjectStore, results: ResultStore, settings: S3Settings
    ) -> None:
        """A job that we cannot read is an error that says so; a transcript is made again."""
        store.put(settings, "kascribe-results/jobs/j1.json", b'{"schema_version":"9"}')
        store.put(settings, "kascribe-results/transcripts/c1.json", b"not json")
        with pytest.raises(InvalidEvent, match="upgrade"):
            results.find_job("j1")
        assert results.find_transcript("c1") is None

    def test_a_store_that_does_not_serve_is_a_dependency_down(
        self, store: ObjectStore, settings: S3Settings
    ) -> None:
        """A missing bucket and a dead endpoint are every job's trouble."""
        missing = settings.model_copy(update={"bucket": "no-such-bucket-here"})
        with pytest.raises(DependencyDown, match="NoSuchBucket"):
            ResultStore(missing, client=store.client).find_job("j1")
        nowhere = settings.model_copy(update={"endpoint_url": "http://127.0.0.1:9", "timeout_seconds": 0.5})
        with pytest.raises(DependencyDown):
            ResultStore(nowhere).create_job(stored_job("j1", offset=1))


USAGE = Usage(audio_seconds=1.0, inference_seconds=0.1, windows=1, decoded_tokens=3)
TRANSCRIPT = Transcript(
    status=TranscriptStatus.COMPLETED,
    language="ko",
    text="안녕",
    options=TranscribeOptions(),
    audio=AudioFacts(
        audio_duration_seconds=1.0, speech_duration_seconds=1.0, channel_count=1, sample_rate_hertz=16_000
    ),
    provenance=PROVENANCE,
    timing=StageTiming(),
    usage=USAGE,
)


def accepted_job(job_id: str, *, uri: str) -> AcceptedJob:
    """Return an accepted job for the audio at an address."""
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    reference = AudioReference(event_id="e1", occurred_at=moment, uri=uri, idempotency_key="k")
    return AcceptedJob(job_id=job_id, tenant="default", accepted_at=moment, reference=reference)


def failed(job_id: str, digest: str, *, minute: int) -> FailedRequest:
    """Return a failure at a minute past midnight."""
    return FailedRequest(
        job_id=job_id,
        owner=Coordinates("audio.references", 0, minute),
        request_digest=digest,
        reason=Reason.AUDIO_EMPTY,
        message="no bytes",
        failed_at=datetime(2026, 11, 22, 0, minute, tzinfo=UTC),
    )


def stored_job(job_id: str, *, offset: int) -> StoredJob:
    """Return a finished job that the record at ``offset`` owns."""
    event = TranscriptEvent(
        event_id=f"{job_id}.transcript",
        occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
        job_id=job_id,
        idempotency_key="k",
        status=TranscriptStatus.COMPLETED,
        source=SourceObject(uri="s3://audio/a.wav", sha256="0", object_size_bytes=1),
        language="ko",
        audio_duration_seconds=1.0,
        speech_duration_seconds=1.0,
        text="안녕",
        segment_count=1,
        transcript_uri="s3://audio/t.json",
        provenance=PROVENANCE,
        timing=StageTiming(),
        usage=USAGE,
    )
    return StoredJob(
        job_id=job_id, owner=Coordinates("audio.references", 0, offset), content_key="c1", event=event
    )
