"""The reconciler on the S3 server in this process, and how many requests it makes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from producers.reconciler import reconciler, settled
from producers.reconciler.drops import StoredObject
from producers.reconciler.listing import DropBucket
from producers.reconciler.notes import KnownJobs
from producers.reconciler.settled import SettledObjects
from schemas.results import ResultKeys
from tests.contract.reconciler.reconcile_bench import Bench
from tests.contract.reconciler.reconcile_suite import ReconcileSuite
from tests.support.object_store import ObjectStore


@pytest.fixture
def store(moto_store: ObjectStore) -> ObjectStore:
    """Return the server in this process."""
    return moto_store


class TestReconcilerOnMoto(ReconcileSuite):
    """``Reconciler`` on moto's server."""


def test_an_object_costs_requests_only_until_its_job_is_known(store: ObjectStore) -> None:
    """New: one HEAD and one note each. Known: only listings, of a page for each thousand objects and notes."""
    bench = Bench(store)
    for number in range(120):
        bench.drop(f"{number}.wav")
    with bench.requests() as first:
        assert bench.counts() == {"published": 120}
    assert first == {"GetBucketVersioning": 1, "ListObjectsV2": 5, "HeadObject": 120, "PutObject": 120}
    with bench.requests() as again:
        bench.new_reconciler().run((bench.settings.bucket,), "", stopped=lambda: False)
    assert again == {"GetBucketVersioning": 1, "ListObjectsV2": 5}


def test_notes_are_found_with_as_few_listings_as_ids_or_pages(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few jobs among many notes, and many jobs among few: a listing begins where the next wanted id is."""
    monkeypatch.setattr("producers.reconciler.notes.LIST_LIMIT", 10)
    bench = Bench(store)
    ids = [f"{number:032x}" for number in range(0, 200, 2)]
    keys = ResultKeys(bench.settings.results_prefix)
    for each in ids:
        bench.store.put(bench.settings, keys.job(each), b"{}")
    for digest in range(25):
        bench.store.put(bench.settings, keys.failure(ids[50], f"{digest:02}"), b"{}")
    known = KnownJobs.of(bench.settings, store.client)
    with bench.requests() as many:
        assert set(known.notes([*ids, "f" * 32])) == set(ids)
    assert many["ListObjectsV2"] <= 10 + 1 + 3 + 2
    with bench.requests() as few:
        found = known.notes([ids[3], f"{7:032x}", ids[50], ids[97]])
    assert set(found) == {ids[3], ids[50], ids[97]}
    assert found[ids[50]].failed_at is not None
    assert few["ListObjectsV2"] <= 4 + 1 + 3 + 1
    assert known.notes([]) == {}


def test_the_rest_of_our_own_folder_is_not_listed(store: ObjectStore) -> None:
    """A bucket has several results for each dropped object."""
    bench = Bench(store)
    folder = bench.settings.results_prefix
    for key in ("a", *(f"{folder}{number}" for number in range(12)), "z"):
        bench.drop(key)
    bucket = DropBucket(store.client, bench.settings.bucket, (folder,), page_objects=2)
    with bench.requests() as requests:
        keys = [found.key for page in bucket.pages("") for found in page.objects]
    assert (keys[0], keys[-1]) == ("a", "z")
    assert requests["ListObjectsV2"] == 2


def test_work_is_done_in_batches(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds one batch, and a signal is noticed between two chunks."""
    monkeypatch.setattr(reconciler, "BATCH_OBJECTS", 3)
    monkeypatch.setattr(reconciler, "CHUNK_OBJECTS", 2)
    bench = Bench(store)
    for number in range(5):
        bench.drop(f"{number}.wav")
    looks = 0

    def stopped() -> bool:
        nonlocal looks
        looks += 1
        return bool(bench.broker.records)

    assert bench.run(stopped=stopped).is_stopped
    assert len(bench.broker.records) == 2
    assert bench.counts() == {"known": 2, "published": 3}


def test_metadata_that_may_not_be_read_are_counted(store: ObjectStore) -> None:
    """One object that a policy forbids does not end the run."""
    bench = Bench(store)
    bench.drop("a.wav")

    def refuse(**_: object) -> Any:
        # What the client makes of the store's refusal: HEAD has no body.
        parsed = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return AWSResponse("http://store", 403, HTTPHeaders(), None), parsed

    events: Any = bench.store.client.meta.events
    events.register_first("before-call.s3.HeadObject", refuse)
    try:
        assert bench.counts() == {"unreadable": 1}
    finally:
        events.unregister("before-call.s3.HeadObject", refuse)


def test_an_object_that_is_replaced_meanwhile_is_left_to_the_next_run(store: ObjectStore) -> None:
    """The metadata would be those of another object."""
    bench = Bench(store)
    bench.drop("a.wav", b"new")
    found = StoredObject(bench.settings.bucket, "a.wav", None, "another", 3, datetime.now(UTC))
    assert DropBucket(store.client, bench.settings.bucket).metadata(found) is None
    assert DropBucket(store.client, bench.settings.bucket).metadata(_renamed(found)) is None


def test_settled_objects_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit nothing more is remembered, and what a run has not seen is forgotten."""
    monkeypatch.setattr(settled, "REMEMBERED_LIMIT", 2)
    objects = [StoredObject("b", str(number), None, "e", 1, datetime.now(UTC)) for number in range(3)]
    remembered = SettledObjects()
    for found in objects:
        remembered.add(found)
    assert [remembered.includes(found) for found in objects] == [True, True, False]
    remembered.complete()
    assert remembered.includes(objects[0])
    remembered.complete()
    assert [remembered.includes(found) for found in objects] == [True, False, False]


def _renamed(found: StoredObject) -> StoredObject:
    return StoredObject(found.bucket, "gone.wav", None, found.etag, found.object_size_bytes, found.modified_at)
