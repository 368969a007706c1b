"""What the removal of jobs promises over any S3 server."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from producers.result_removal import (
    UNFINISHED_USER,
    RemovedJob,
    ResultRemoval,
    TranscriptRemoval,
    UploadedObject,
)
from producers.results import EnrichmentResults, ResultStore
from producers.s3 import create_client
from schemas.errors import DependencyDown
from schemas.options import ExportFormat
from schemas.settings import S3Settings
from tests.contract.objects.result_suite import TRANSCRIPT, accepted_job, failed, stored_job
from tests.support.clock import HandClock
from tests.support.object_store import ObjectStore

CONTENT = "c1"


class RemovalSuite:
    """What ``ResultRemoval`` promises. Subclasses give the fixture ``store``."""

    @pytest.fixture
    def settings(self, store: ObjectStore) -> S3Settings:
        """Return a bucket of one's own."""
        return store.settings()

    @pytest.fixture
    def results(self, store: ObjectStore, settings: S3Settings) -> ResultStore:
        """Return a store of results in it."""
        return ResultStore(settings, client=store.client)

    @pytest.fixture
    def removal(self, store: ObjectStore, settings: S3Settings) -> ResultRemoval:
        """Return a removal of results from it."""
        return removal_at(store, settings)

    def test_the_last_user_of_a_transcript_takes_everything_along(
        self, store: ObjectStore, settings: S3Settings, results: ResultStore, removal: ResultRemoval
    ) -> None:
        """Nothing of the job stays but the note that it was deleted; other jobs keep what is theirs."""
        finish(results, "j1", exported=True)
        enrichments = EnrichmentResults(settings, client=store.client)
        enrichments.put_rewrite("j1", "d", "tidy.json", b"{}", "application/json")
        results.claim_failure(failed("j1", "d", minute=1))
        results.claim_accepted(accepted_job("j1", uri="s3://audio/a.wav"))
        finish(results, "j10", content_key="c2")
        removed = remove(removal, results, "j1")
        assert removed == RemovedJob(TranscriptRemoval.DELETED, upload=False, other_objects=3)
        assert results.find_job("j10") is not None
        assert results.find_transcript("c2") == TRANSCRIPT
        kept = {"jobs/j10.json", "transcripts/c2.json", "users/c2/j10.r1", "deleted/j1.json"}
        assert set(store.keys(settings.bucket)) == {f"kascribe-results/{name}" for name in kept}
        deletion = results.find_deletion("j1")
        assert deletion is not None
        assert deletion.job_id == "j1"

    def test_a_transcript_stays_while_another_job_uses_it(
        self, results: ResultStore, removal: ResultRemoval
    ) -> None:
        """Two jobs with the same audio and options share it: the second removal deletes it."""
        finish(results, "j1", exported=True)
        finish(results, "j2")
        assert remove(removal, results, "j1").transcript is TranscriptRemoval.SHARED
        assert results.find_job_transcript("j2") == TRANSCRIPT
        assert remove(removal, results, "j2").transcript is TranscriptRemoval.DELETED
        assert results.find_transcript(CONTENT) is None

    def test_a_transcript_of_an_earlier_release_stays(
        self, store: ObjectStore, settings: S3Settings, results: ResultStore, removal: ResultRemoval
    ) -> None:
        """Its jobs left no marks, so who else uses it is not known; the removal says so."""
        body = TRANSCRIPT.model_dump_json().encode()
        store.put(settings, f"kascribe-results/transcripts/{CONTENT}.json", body)
        finish(results, "j1", writes=False)
        assert remove(removal, results, "j1").transcript is TranscriptRemoval.USERS_UNKNOWN
        assert results.find_transcript(CONTENT) == TRANSCRIPT
        assert results.find_job("j1") is None

    def test_a_job_that_has_not_finished_keeps_the_transcript_for_a_day(
        self, store: ObjectStore, settings: S3Settings, results: ResultStore, removal: ResultRemoval
    ) -> None:
        """It relies on the transcript until its own result is stored. One that failed or vanished does not."""
        finish(results, "j1")
        results.add_user(CONTENT, "j2", "r1")
        assert remove(removal, results, "j1").transcript is TranscriptRemoval.SHARED
        finish(results, "j3")
        results.claim_failure(failed("j2", "r1", minute=1))
        assert remove(removal, results, "j3").transcript is TranscriptRemoval.DELETED
        finish(results, "j4")
        results.add_user(CONTENT, "j5", "r1")
        tomorrow = removal_at(store, settings, later=UNFINISHED_USER + timedelta(minutes=5))
        assert remove(tomorrow, results, "j4").transcript is TranscriptRemoval.DELETED

    @pytest.mark.parametrize("key", ["transcripts/c1.json", "exports/c1.txt"])
    def test_a_job_that_reuses_the_transcript_while_it_is_deleted_keeps_it(
        self, store: ObjectStore, settings: S3Settings, results: ResultStore, key: str
    ) -> None:
        """Its mark comes after the removal has listed them, and it finds the transcript just before the end."""
        finish(results, "j1", exported=True)
        found = []

        def reuse() -> None:
            results.add_user(CONTENT, "j2", "r1")
            found.append(results.has_transcript(CONTENT))

        with before_deletion_of(f"kascribe-results/{key}", store, settings, reuse) as removal:
            removed = remove(removal, results, "j1")
        assert removed.transcript is TranscriptRemoval.SHARED
        finish(results, "j2", writes=False)
        assert results.find_job_transcript("j2") == TRANSCRIPT
        assert f"kascribe-results/exports/{CONTENT}.txt" in store.keys(settings.bucket)
        # It was restored as it was: the last user still takes it along.
        assert remove(removal_at(store, settings), results, "j2").transcript is TranscriptRemoval.DELETED

    def test_a_job_that_is_requested_again_while_it_is_deleted_keeps_the_transcript(
        self, store: ObjectStore, settings: S3Settings, results: ResultStore
    ) -> None:
        """The marks of two requests for one job are told apart."""
        finish(results, "j1")
        again = lambda: results.add_user(CONTENT, "j1", "r2")  # noqa: E731
        with before_deletion_of(f"kascribe-results/transcripts/{CONTENT}.json", store, settings, again) as removal:
            assert remove(removal, results, "j1").transcript is TranscriptRemoval.SHARED
        assert results.find_transcript(CONTENT) == TRANSCRIPT

    def test_jobs_that_are_removed_at_once_leave_no_transcript(
        self, results: ResultStore, removal: ResultRemoval
    ) -> None:
        """Whichever comes last deletes it, also when no removal saw the end of another."""
        jobs = [f"j{number}" for number in range(6)]
        for job_id in jobs:
            finish(results, job_id)
        stored = [results.find_job(job_id) for job_id in jobs]
        together = threading.Barrier(len(jobs))

        def delete(number: int) -> None:
            together.wait(timeout=30)
            removal.remove(jobs[number], finished=stored[number], upload=None)

        with ThreadPoolExecutor(len(jobs)) as threads:
            list(threads.map(delete, range(len(jobs))))
        assert results.find_transcript(CONTENT) is None
        assert [results.find_job(job_id) for job_id in jobs] == [None] * len(jobs)

    def test_a_removal_that_was_interrupted_can_be_repeated(
        self, store: ObjectStore, settings: S3Settings, results: ResultStore, removal: ResultRemoval
    ) -> None:
        """The job exists until everything else is gone, so its caller can still name it."""
        finish(results, "j1", exported=True)
        job_key = "kascribe-results/jobs/j1.json"

        def fail() -> None:
            raise DependencyDown("s3", "the store ended")

        with (
            before_deletion_of(job_key, store, settings, fail) as interrupted,
            pytest.raises(DependencyDown),
        ):
            remove(interrupted, results, "j1")
        assert results.find_job("j1") is not None
        assert remove(removal, results, "j1").transcript is TranscriptRemoval.ABSENT
        assert results.find_job("j1") is None

    def test_a_deleted_job_can_be_done_anew_where_versions_are_kept(self, store: ObjectStore) -> None:
        """A delete marker is no object: the job is created, found and owned as the first time."""
        settings = store.settings(versioned=True)
        results, removal = ResultStore(settings, client=store.client), removal_at(store, settings)
        results.claim_accepted(accepted_job("j1", uri="s3://audio/a.wav"))
        finish(results, "j1")
        assert remove(removal, results, "j1").transcript is TranscriptRemoval.DELETED
        again = accepted_job("j1", uri="s3://audio/b.wav")
        assert results.claim_accepted(again) == again
        finish(results, "j1")
        assert results.find_job_transcript("j1") == TRANSCRIPT

    def test_only_uploads_of_kascribe_are_deleted(
        self, store: ObjectStore, settings: S3Settings, results: ResultStore, removal: ResultRemoval
    ) -> None:
        """Audio that a producer put in the bucket belongs to that producer."""
        for key in ("kascribe-uploads/1/a.wav", "calls/b.wav"):
            store.put(settings, key, b"RIFF")
        ours = UploadedObject(f"s3://{settings.bucket}/kascribe-uploads/1/a.wav")
        theirs = UploadedObject(f"s3://{settings.bucket}/calls/b.wav")
        assert removal.remove("j1", finished=None, upload=ours).upload
        assert not removal.remove("j2", finished=None, upload=theirs).upload
        audio = [key for key in store.keys(settings.bucket) if key.endswith(".wav")]
        assert audio == ["calls/b.wav"]
        assert results.find_deletion("j3") is None


def removal_at(store: ObjectStore, settings: S3Settings, *, later: timedelta = timedelta()) -> ResultRemoval:
    """Return a removal whose clock shows this much more than it is."""
    return ResultRemoval(settings, clock=clock_of_the_store(later), client=store.client)


def clock_of_the_store(later: timedelta = timedelta()) -> HandClock:
    """Return a clock that stands at the time of the store, which dates the objects, or later."""
    clock = HandClock()
    clock.seconds = (datetime.now(UTC) + later).timestamp()
    return clock


def finish(
    results: ResultStore,
    job_id: str,
    *,
    content_key: str = CONTENT,
    writes: bool = True,
    exported: bool = False,
) -> None:
    """Finish a job as the transcriber does; it ``writes`` the transcript, or has found it."""
    results.add_user(content_key, job_id, "r1")
    if writes:
        results.put_transcript(content_key, TRANSCRIPT)
    if exported:
        results.put_export(content_key, ExportFormat.TEXT, b"text", "text/plain")
    results.create_job(stored_job(job_id, offset=1).model_copy(update={"content_key": content_key}))


def remove(removal: ResultRemoval, results: ResultStore, job_id: str) -> RemovedJob:
    """Remove a finished job."""
    stored = results.find_job(job_id)
    assert stored is not None
    return removal.remove(job_id, finished=stored, upload=None)


@contextmanager
def before_deletion_of(
    key: str, store: ObjectStore, settings: S3Settings, act: Callable[[], None]
) -> Iterator[ResultRemoval]:
    """Return a removal with a client of its own, which acts just before it deletes an object."""
    client = create_client(S3Settings(endpoint_url=store.endpoint_url))

    def on_call(params: dict[str, Any], **_: Any) -> None:
        if params["url_path"].endswith(f"/{key}"):
            act()

    client.meta.events.register("before-call.s3.DeleteObject", on_call)
    try:
        yield ResultRemoval(settings, clock=clock_of_the_store(), client=client)
    finally:
        client.close()
