"""The reconciler on a real MinIO: what it promises, and that its identities are those of real notifications."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from producers.reconciler.drops import drop_of
from producers.reconciler.listing import DropBucket
from schemas.events import AudioReference
from schemas.notifications import parse_notification, requested_options, to_reference
from tests.contract.reconciler.reconcile_bench import Bench
from tests.contract.reconciler.reconcile_suite import KEY, ReconcileSuite
from tests.integration.stack import PrivateStack
from tests.support.object_store import ObjectStore, credentials

DROPS: dict[str, dict[str, str]] = {
    "plain.wav": {},
    KEY: {"language": "ko", "enrich": "summary"},
    "percent%2Fencoded +~'()*!.wav": {"initial-prompt": "%EC%84%B8%20%EC%A4%84"},
    "한/日本語/ü\u00e0.wav": {"Hotwords": "a, b", "exports": "srt,vtt", "tenant": "acme", "lane": "interactive"},
    "same-key.wav": {"idempotency-key": "call-7", "case_number": "17"},
}


@pytest.fixture(scope="module")
def store(stack: PrivateStack) -> Iterator[ObjectStore]:
    """Return the real server, with its credentials in the environment."""
    with credentials(stack.environment):
        yield ObjectStore(stack.environment["KASCRIBE_S3_ENDPOINT_URL"])


class TestReconcilerOnMinio(ReconcileSuite):
    """``Reconciler`` on MinIO."""


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_a_listing_gives_the_identities_of_real_notifications(stack: PrivateStack, status: str) -> None:
    """With versions, and without them; whatever the keys, and whatever the metadata."""
    topic = stack.new_topic()
    bucket = stack.new_bucket(notify_topic=topic)
    stack.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})  # type: ignore[typeddict-item]
    for key, metadata in DROPS.items():
        stack.s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata=metadata)
    announced: dict[str, AudioReference] = {}
    for message in stack.records(topic, lambda seen: len({each.key() for each in seen}) == len(DROPS)):
        (created,) = parse_notification(message.value()).created
        requested = requested_options(created.user_metadata or {})
        announced[created.key] = to_reference(created, requested, now=datetime.now(UTC))
    listing = DropBucket(stack.s3, bucket)
    found = {each.key: each for page in listing.pages("") for each in page.objects}
    assert found.keys() == announced.keys() == DROPS.keys()
    for key, each in found.items():
        reported = listing.metadata(each)
        assert reported is not None
        reference = drop_of(each, reported).reference
        same_time = {"occurred_at": reference.occurred_at}
        assert announced[key].model_copy(update=same_time) == reference
        assert (reference.version_id is None) == (status == "Suspended")


def test_our_own_folder_is_jumped_over_in_a_bucket_with_versions(store: ObjectStore) -> None:
    """A bucket has several results for each dropped object, and versions of each."""
    bench = Bench(store, versioned=True)
    folder = bench.settings.results_prefix
    for key in ("a", *(f"{folder}jobs/{number}" for number in range(9)), "kascribe-results0", "z"):
        bench.drop(key)
    whole = DropBucket(store.client, bench.settings.bucket)
    jumping = replace(whole, skipped=(folder,), page_objects=2)
    with bench.requests() as requests:
        keys = [found.key for page in jumping.pages("") for found in page.objects]
    assert [key for key in keys if not key.startswith(folder)] == ["a", "kascribe-results0", "z"]
    assert requests["ListObjectVersions"] <= 3
