"""What the reconciler promises over any S3 server: run on moto's in process, and on a real MinIO."""

from datetime import UTC, datetime, timedelta

import pytest

from producers.reconciler.drops import StoredObject
from producers.reconciler.listing import DropBucket
from schemas.errors import InvalidOptions, NotDelivered, Reason
from schemas.identity import job_id, notification_key
from schemas.kafka.records import Coordinates
from schemas.notifications import parse_notification, requested_options, to_reference, valid_options
from schemas.options import EnrichOptions, Lane, TranscribeOptions
from schemas.results import DeletedJob, FailedRequest, ResultKeys
from tests.contract.objects.result_suite import stored_job
from tests.contract.reconciler.reconcile_bench import TOPICS, Bench
from tests.support.object_store import ObjectStore

KEY = "회의 녹음/a+b (1) 100%.wav"


class ReconcileSuite:
    """What ``Reconciler`` promises. Subclasses give the fixture ``store``."""

    @pytest.fixture
    def bench(self, store: ObjectStore) -> Bench:
        """Return a bench at a bucket without versions."""
        return Bench(store)

    @pytest.fixture
    def versioned(self, store: ObjectStore) -> Bench:
        """Return a bench at a bucket that keeps versions."""
        return Bench(store, versioned=True)

    @pytest.mark.parametrize("keeps_versions", [False, True])
    def test_a_dropped_object_is_requested_as_its_notification_would(
        self, store: ObjectStore, keeps_versions: bool
    ) -> None:
        """Key, event id, options, lane, tenant and metadata are those of the notification, by version or etag."""
        bench = Bench(store, versioned=keeps_versions)
        version = bench.drop(KEY, language="ko", enrich="summary", lane="interactive", tenant="acme", case="17")
        assert bench.counts() == {"published": 1}
        (reference,) = bench.broker.references()
        enrich = EnrichOptions(profiles=("summary",))
        derived = notification_key(
            bucket=bench.settings.bucket,
            key=KEY,
            version=version,
            options=TranscribeOptions(language="ko"),
            enrich=enrich,
        )
        assert (reference.idempotency_key, reference.event_id) == (derived, job_id(derived))
        assert (reference.uri, reference.enrich) == (f"s3://{bench.settings.bucket}/{KEY}", enrich)
        assert (reference.lane, reference.tenant, reference.metadata) == (Lane.INTERACTIVE, "acme", {"case": "17"})
        assert (reference.version_id if keeps_versions else reference.etag) == version
        assert (reference.version_id is not None) == keeps_versions
        assert bench.broker.records[0].key == job_id(derived).encode()

    def test_a_requested_job_is_accepted_and_not_requested_again(self, bench: Bench) -> None:
        """The note tells the gateway of the job, and the next run that it is requested, whatever process runs."""
        bench.drop("a.wav", language="ko", tenant="acme")
        bench.drop("b.wav")
        assert bench.counts() == {"published": 2}
        notes = [bench.accepted(reference) for reference in bench.broker.references()]
        assert [note.reference for note in notes if note] == bench.broker.references()
        assert {note.tenant for note in notes if note} == {"acme", "default"}
        assert bench.counts() == bench.counts(min_age=timedelta()) == {"known": 2}
        assert len(bench.broker.records) == 2

    def test_a_broker_is_needed_only_for_requests(self, bench: Bench) -> None:
        """A run that finds nothing to request does not connect."""
        bench.broker.is_down = True
        assert bench.counts() == {}
        bench.drop("a.wav")
        with pytest.raises(NotDelivered):
            bench.run()
        bench.broker.is_down = False
        assert bench.counts() == {"published": 1}

    def test_a_crash_between_publishing_and_noting_repeats_the_same_request(self, bench: Bench) -> None:
        """The broker has the reference, the bucket no note: the next run publishes it again, with equal ids."""
        bench.drop("a.wav")
        bench.broker.refuses = True
        with pytest.raises(NotDelivered):
            bench.run()
        bench.broker.refuses = False
        assert bench.counts() == {"published": 1}
        first, second = bench.broker.references()
        assert first == second
        assert bench.accepted(first)

    def test_what_is_no_dropped_audio_is_left_alone(self, versioned: Bench) -> None:
        """Results, uploads, folders' markers, deleted objects, and objects that are too young."""
        settings = versioned.settings
        versioned.drop(f"{settings.results_prefix}jobs/1.json")
        versioned.drop(f"{settings.uploads_prefix}a.wav")
        versioned.drop("folder/", b"")
        versioned.drop("deleted.wav")
        versioned.store.client.delete_object(Bucket=settings.bucket, Key="deleted.wav")
        versioned.drop("young.wav")
        assert versioned.counts(min_age=timedelta(days=1)) == {"folder": 1, "gone": 1, "too_young": 1}
        found = versioned.run().tally.as_document()
        assert {name: count for name, count in found.items() if count} == {
            "seen": 5,
            "own": 2,
            "folder": 1,
            "gone": 1,
            "published": 1,
        }

    def test_every_version_of_an_object_is_a_job(self, versioned: Bench) -> None:
        """As each was announced: also those that were overwritten since."""
        versions = {versioned.drop("a.wav", body) for body in (b"one", b"two", b"three")}
        assert versioned.counts() == {"published": 3}
        assert {reference.version_id for reference in versioned.broker.references()} == versions

    def test_an_object_without_bytes_is_requested(self, bench: Bench) -> None:
        """Its notification would have led to ``audio_empty``; the reconciler does not judge audio."""
        bench.drop("empty.wav", b"")
        assert bench.counts() == {"published": 1}

    @pytest.mark.parametrize("options", [{}, {"language": "ko"}])
    @pytest.mark.parametrize("kind", ["finished", "failed", "deleted"])
    def test_a_job_that_has_ended_is_not_requested(self, bench: Bench, kind: str, options: dict[str, str]) -> None:
        """However it ended, and whatever its options are."""
        version = bench.drop("a.wav", b"audio", **options)
        job = job_id(
            notification_key(
                bucket=bench.settings.bucket,
                key="a.wav",
                version=version,
                options=TranscribeOptions.model_validate(options),
                enrich=None,
            )
        )
        _end(bench, job, kind)
        assert bench.counts() == {"known": 1}
        with bench.requests() as requests:
            assert bench.counts() == {"known": 1}
        assert set(requests) == {"GetBucketVersioning", "ListObjectsV2"}, "it is remembered"

    def test_refused_options_fail_as_those_of_a_notification_and_once(self, versioned: Bench) -> None:
        """The lost notification is published in its place: the transcriber reports ``invalid_options``."""
        version = versioned.drop(KEY, language="klingon", tenant="acme")
        assert versioned.counts() == {"refused": 1}
        assert versioned.counts(min_age=timedelta()) == {"known": 1}
        (record,) = versioned.broker.records
        assert record.topic == TOPICS.objects
        (created,) = parse_notification(record.value).created
        with pytest.raises(InvalidOptions, match="x-amz-meta-language"):
            requested_options(created.user_metadata or {})
        reference = to_reference(created, valid_options(created.user_metadata or {}), now=datetime.now(UTC))
        note = versioned.accepted(reference)
        assert note is not None
        assert note.reference == reference
        assert (reference.version_id, reference.tenant) == (version, "acme")

    def test_objects_with_the_same_key_of_their_caller_are_one_job(self, bench: Bench) -> None:
        """The first is requested; the others are the same job."""
        for name in ("a.wav", "b.wav"):
            bench.drop(name, idempotency_key="call-7")
        assert bench.counts() == {"published": 1, "known": 1}

    def test_a_cancelled_job_stays_cancelled(self, bench: Bench) -> None:
        """Its object is still there, and nothing in the bucket told of the cancellation: now a note does."""
        bench.drop("a.wav")
        (job,) = _job_ids(bench)
        bench.broker.cancel(job, bench.clock.now())
        assert bench.counts() == {"withheld": 1}
        assert bench.counts(min_age=timedelta()) == {"known": 1}
        assert bench.broker.records == []

    def test_an_accepted_job_that_never_ended_is_requested_again_on_request(self, bench: Bench) -> None:
        """Records get lost with their topic: what was accepted before a time, and did not end, is repeated."""
        bench.drop("a.wav")
        bench.run()
        bench.clock.seconds += 7_200
        assert bench.counts(lost_after=timedelta(hours=4)) == {"known": 1}
        assert bench.counts(lost_after=timedelta(hours=2)) == {"published": 1}
        first, second = bench.broker.references()
        assert first == second

    def test_a_dry_run_changes_nothing(self, bench: Bench) -> None:
        """It tells what would be requested, and requests nothing."""
        bench.drop("a.wav")
        bench.drop("b.wav", langauge="ko")
        assert bench.counts(is_dry=True) == {"published": 1, "refused": 1}
        assert [(key, outcome.value) for key, outcome in bench.told] == [
            ("a.wav", "published"),
            ("b.wav", "refused"),
        ]
        assert bench.broker.records == []
        assert bench.store.keys(bench.settings.bucket) == ["a.wav", "b.wav"]

    def test_two_reconcilers_at_once_request_the_same(self, bench: Bench) -> None:
        """Both publish equal references, which are one job; the second one's note changes nothing."""
        bench.drop("a.wav")
        other = bench.new_reconciler()

        def run_the_other() -> None:
            other.run((bench.settings.bucket,), "", stopped=lambda: False)

        bench.broker.before_publishing.append(run_the_other)
        assert bench.counts() == {"published": 1}
        first, second = bench.broker.references()
        assert first == second

    def test_a_bucket_that_cannot_be_searched_does_not_keep_the_others(self, bench: Bench) -> None:
        """The report says which, and what is wrong."""
        bench.drop("a.wav")
        report = bench.run("no-such-bucket", bench.settings.bucket)
        assert report.tally.sentence() == "1 seen: 0 own, 0 too young, 0 known, 1 published, 0 refused"
        assert len(report.problems) == 1
        assert "no-such-bucket" in report.problems[0]

    def test_only_keys_below_the_prefix_are_searched(self, bench: Bench) -> None:
        """Others are not even listed."""
        bench.drop("calls/a.wav")
        bench.drop("music/a.wav")
        assert bench.run(prefix="calls/").tally.seen == 1

    def test_a_stopped_run_requests_nothing_more(self, bench: Bench) -> None:
        """It ends between two steps, and the next run goes on."""
        bench.drop("a.wav")
        report = bench.run(stopped=lambda: True)
        assert (report.is_stopped, bench.broker.records) == (True, [])
        assert bench.counts() == {"published": 1}

    @pytest.mark.parametrize("keeps_versions", [False, True])
    def test_a_listing_is_whole_whatever_the_size_of_its_pages(
        self, store: ObjectStore, keeps_versions: bool
    ) -> None:
        """Versions of one key on several pages, and a deleted one, are seen once each, or not at all."""
        bench = Bench(store, versioned=keeps_versions)
        for key in ("a", "b", "c", KEY, "z"):
            for body in (b"1", b"2", b"3"):
                bench.drop(key, body)
        store.client.delete_object(Bucket=bench.settings.bucket, Key="b")
        for page_objects in (2, 3, 4, 1_000):
            listed = _listed(DropBucket(store.client, bench.settings.bucket, page_objects=page_objects))
            keys = [found.key for found in listed]
            assert keys == [key for key in ("a", "c", "z", KEY) for _ in range(3 if keeps_versions else 1)]
            assert len({(found.key, found.version_id) for found in listed}) == len(listed)


def _listed(bucket: DropBucket) -> list[StoredObject]:
    return [found for page in bucket.pages("") for found in page.objects]


def _job_ids(bench: Bench) -> list[str]:
    """Return the ids of the jobs that a run would request."""
    listed = _listed(DropBucket(bench.store.client, bench.settings.bucket))
    return [found.default_job_id for found in listed]


def _end(bench: Bench, job: str, kind: str) -> None:
    """Store what the end of a job leaves in the bucket."""
    now, owner = datetime.now(UTC), Coordinates(TOPICS.objects, 0, 0)
    if kind == "finished":
        bench.results.create_job(stored_job(job, offset=1))
    elif kind == "failed":
        failed = FailedRequest(
            job_id=job,
            owner=owner,
            request_digest="digest",
            reason=Reason.AUDIO_UNDECODABLE,
            message="no audio",
            failed_at=now,
        )
        bench.results.claim_failure(failed)
    else:
        key = ResultKeys(bench.settings.results_prefix).deletion(job)
        body = DeletedJob(job_id=job, deleted_at=now).model_dump_json().encode()
        bench.store.put(bench.settings, key, body)
