"""Fetch, results, uploads and the transcriber's stage on a real MinIO and its own notifications."""

import io
from collections.abc import Iterator

import pytest

from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.transcribe import TranscribeStage
from producers.results import ResultStore
from producers.uploads import SMALLEST_PART_BYTES, Uploads
from schemas.errors import DependencyDown
from schemas.kafka.records import Record
from schemas.notifications import Dialect, is_own_object, parse_notification
from schemas.settings import S3Settings
from tests.contract.access.key_suite import KeySuite
from tests.contract.objects.fetch_suite import KEY, FetchSuite, fetched
from tests.contract.objects.removal_suite import RemovalSuite
from tests.contract.objects.result_suite import ResultSuite
from tests.contract.transcriber.stage_jobs import TOPICS, Runtime, transcripts
from tests.integration.stack import PrivateStack
from tests.sound.wav_listener import WavListener, wav_bytes
from tests.support.object_store import ObjectStore, credentials


@pytest.fixture(scope="module")
def store(stack: PrivateStack) -> Iterator[ObjectStore]:
    """Return the real server, with its credentials in the environment."""
    with credentials(stack.environment):
        yield ObjectStore(stack.environment["KASCRIBE_S3_ENDPOINT_URL"])


class TestFetchOnMinio(FetchSuite):
    """``ObjectFetcher`` on MinIO, which checks credentials."""

    def test_wrong_credentials_count_against_the_store_not_the_object(
        self, settings: S3Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Credentials that the store does not know would fail every record, so they pause intake."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown-to-the-store")
        with pytest.raises(DependencyDown, match="InvalidAccessKeyId"):
            ObjectFetcher(settings).stat(f"s3://{settings.bucket}/{KEY}")
        with (
            pytest.raises(DependencyDown, match="InvalidAccessKeyId"),
            fetched(ObjectFetcher(settings), settings, KEY),
        ):
            pass


class TestResultsOnMinio(ResultSuite):
    """``ResultStore`` on MinIO."""


class TestRemovalOnMinio(RemovalSuite):
    """``ResultRemoval`` on MinIO."""


class TestKeysOnMinio(KeySuite):
    """``ApiKeys`` and ``UsageStore`` on MinIO."""


def test_a_multipart_upload_is_whole(store: ObjectStore) -> None:
    """Parts arrive in order at a real server, with the etag and version that it returns."""
    settings = store.settings(versioned=True)
    body = bytes(range(256)) * (SMALLEST_PART_BYTES // 128) + b"end"
    small_parts = settings.model_copy(update={"part_size_bytes": 1})
    done = Uploads(small_parts, client=store.client).upload(io.BytesIO(body), name="회의 1.wav")
    fetcher = ObjectFetcher(settings, client=store.client)
    state = fetcher.stat(done.uri, version_id=done.version_id, etag=done.etag)
    assert not state.changed
    with fetcher.fetch(state, cancelled=lambda: False) as audio:
        assert audio.path.read_bytes() == body


def test_a_drop_with_options_is_transcribed_once(stack: PrivateStack, store: ObjectStore) -> None:
    """A real notification, both copies of it, gives one transcript by the options in the object's metadata."""
    topic = stack.new_topic()
    bucket = stack.new_bucket(notify_topic=topic)
    settings = S3Settings(endpoint_url=store.endpoint_url, bucket=bucket)
    key = "회의 녹음/a+b (1) 100%.wav"
    store.put(settings, key, wav_bytes(2), content_type="audio/wav", metadata={"language": "ko", "case": "17"})
    records = _records(stack, topic, 2)
    assert {parse_notification(record.value).created[0].dialect for record in records} == {Dialect.MINIO}
    engine = WavListener()
    stage = TranscribeStage(
        ObjectFetcher(settings, client=store.client),
        ResultStore(settings, client=store.client),
        engine,
        topics=TOPICS,
        settings=settings,
    )
    first, second = (stage.process(Runtime().job(record)) for record in records)
    (event,) = transcripts(first)
    assert (event.source.uri, event.language, event.metadata) == (f"s3://{bucket}/{key}", "ko", {"case": "17"})
    assert event.source.version_id is not None
    assert not event.source_changed
    assert (second, engine.calls) == ((), 1)
    # Storing the results was announced as well; those are our own, and start nothing.
    (echo, *_) = _records(stack, topic, 3)[2:]
    created = parse_notification(echo.value).created[0]
    assert is_own_object(created.bucket, created.key, settings)
    assert stage.process(Runtime().job(echo)) == ()


def _records(stack: PrivateStack, topic: str, count: int) -> list[Record]:
    found = stack.records(topic, lambda seen: len(seen) >= count)
    return [
        Record(TOPICS.objects, 0, offset, message.key(), message.value()) for offset, message in enumerate(found)
    ]
