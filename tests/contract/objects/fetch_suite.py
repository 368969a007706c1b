"""What fetching promises over any S3 server: run on moto's in process, and on a real MinIO."""

import gc
import hashlib
import itertools
import socket
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from consumers.transcriber.fetch import OVERWRITTEN_ATTEMPTS, FetchedAudio, ObjectFetcher
from consumers.transcriber.objects import READ_BYTES, ObjectState
from schemas.errors import (
    AudioEmpty,
    AudioNotFound,
    AudioTooLarge,
    JobCancelled,
    SourceNotAllowed,
)
from schemas.object_addresses import ObjectAddress
from schemas.settings import S3Settings
from schemas.transcripts.transcript import SourceObject
from tests.support.object_store import ObjectStore

PART_BYTES = 64 * 1024
KEY = "회의 녹음/a+b?#%20.wav"
BODY = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(6 * 1024))


def never() -> bool:
    """Not cancelled."""
    return False


class FetchSuite:
    """What ``ObjectFetcher`` promises. Subclasses give the fixture ``store``."""

    @pytest.fixture
    def settings(self, store: ObjectStore) -> S3Settings:
        """Return a versioned bucket with one object of three parts."""
        made = store.settings(versioned=True, part_size_bytes=PART_BYTES)
        store.put(made, KEY, BODY, content_type="audio/wav", metadata={"language": "ko"})
        return made

    @pytest.fixture
    def fetcher(self, store: ObjectStore, settings: S3Settings, tmp_path: Path) -> ObjectFetcher:
        """Return a fetcher with the test's scratch directory."""
        return ObjectFetcher(settings, scratch_directory=tmp_path, client=store.client)

    def test_an_object_of_many_parts_is_fetched_whole(
        self, fetcher: ObjectFetcher, settings: S3Settings, tmp_path: Path
    ) -> None:
        """Ranges read side by side give the object's bytes and digest; the file is gone afterwards."""
        state = fetcher.stat(ObjectAddress(settings.bucket, KEY).uri)
        with fetcher.fetch(state, cancelled=never) as audio:
            assert audio.path.read_bytes() == BODY
            assert audio.source == SourceObject(
                uri=f"s3://{settings.bucket}/{KEY}",
                version_id=state.version_id,
                etag=hashlib.md5(BODY, usedforsecurity=False).hexdigest(),
                sha256=hashlib.sha256(BODY).hexdigest(),
                object_size_bytes=len(BODY),
                content_type="audio/wav",
            )
            assert not audio.source_changed
        assert state.version_id is not None
        assert state.reported_metadata == {"language": "ko"}
        assert leftovers(tmp_path) == []

    @pytest.mark.parametrize("size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1])
    def test_sizes_around_a_part_are_fetched_whole(
        self, store: ObjectStore, fetcher: ObjectFetcher, settings: S3Settings, size: int
    ) -> None:
        """No byte is lost or doubled where one part ends and the next begins."""
        store.put(settings, "edge.wav", BODY[:size])
        with fetched(fetcher, settings, "edge.wav") as audio:
            assert audio.path.read_bytes() == BODY[:size]

    def test_the_version_asked_for_is_preferred(
        self, store: ObjectStore, fetcher: ObjectFetcher, settings: S3Settings
    ) -> None:
        """A newer version does not matter while the one that was named still exists."""
        old = fetcher.stat(f"s3://{settings.bucket}/{KEY}")
        store.put(settings, KEY, b"newer")
        state = fetcher.stat(f"s3://{settings.bucket}/{KEY}", version_id=old.version_id, etag=old.etag)
        assert (state.version_id, state.changed) == (old.version_id, False)
        with fetcher.fetch(state, cancelled=never) as audio:
            assert audio.path.read_bytes() == BODY

    def test_an_overwritten_object_is_read_as_it_is_now_and_marked(
        self, store: ObjectStore, fetcher: ObjectFetcher, settings: S3Settings
    ) -> None:
        """When the version that was named is gone, or only an etag was named, the current bytes are used."""
        old = fetcher.stat(f"s3://{settings.bucket}/{KEY}")
        store.put(settings, KEY, b"newer")
        by_etag = fetcher.stat(f"s3://{settings.bucket}/{KEY}", etag=old.etag)
        assert by_etag.changed
        store.client.delete_object(Bucket=settings.bucket, Key=KEY, VersionId=old.version_id or "")
        by_version = fetcher.stat(f"s3://{settings.bucket}/{KEY}", version_id=old.version_id, etag=old.etag)
        with fetcher.fetch(by_version, cancelled=never) as audio:
            assert (audio.path.read_bytes(), audio.source_changed) == (b"newer", True)

    def test_a_version_id_of_another_store_is_no_obstacle(
        self, fetcher: ObjectFetcher, settings: S3Settings
    ) -> None:
        """A version that this store cannot even parse gives the current object, marked."""
        state = fetcher.stat(f"s3://{settings.bucket}/{KEY}", version_id="no-such-version")
        assert state.changed
        assert state.object_size_bytes == len(BODY)

    def test_an_object_replaced_between_stat_and_read_is_never_mixed(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        """Reading is conditional on the etag, so all parts are of one object: here the newer one."""
        settings = store.settings(part_size_bytes=PART_BYTES)
        fetcher = ObjectFetcher(settings, scratch_directory=tmp_path, client=store.client)
        store.put(settings, KEY, BODY)
        state = fetcher.stat(f"s3://{settings.bucket}/{KEY}")
        store.put(settings, KEY, BODY[::-1][: 2 * PART_BYTES])
        with fetcher.fetch(state, cancelled=never) as audio:
            assert audio.path.read_bytes() == BODY[::-1][: 2 * PART_BYTES]
            assert audio.source_changed

    def test_an_object_that_keeps_changing_is_tried_again_later(self, store: ObjectStore, tmp_path: Path) -> None:
        """After a bounded number of replacements the record fails transiently."""
        settings = store.settings(part_size_bytes=PART_BYTES)
        store.put(settings, KEY, BODY)
        fetcher = ObjectFetcher(settings, scratch_directory=tmp_path, client=store.client)
        replaced = itertools.count(1)

        def replace_it(_: ObjectState) -> None:
            store.put(settings, KEY, BODY[next(replaced) :])

        wanted = fetcher.wanted(f"s3://{settings.bucket}/{KEY}")
        with (
            pytest.raises(AudioNotFound, match="replaced"),
            fetcher.fetch(wanted, cancelled=never, on_state=replace_it),
        ):
            pass
        assert next(replaced) == OVERWRITTEN_ATTEMPTS + 1
        assert leftovers(tmp_path) == []

    @pytest.mark.parametrize("named", ["version", "etag"])
    def test_a_fetch_takes_what_a_request_for_the_state_would_take(
        self, store: ObjectStore, fetcher: ObjectFetcher, settings: S3Settings, named: str
    ) -> None:
        """The named version while it exists, else the current one, marked; the state comes before the bytes."""
        uri = f"s3://{settings.bucket}/{KEY}"
        old = fetcher.stat(uri)
        store.put(settings, KEY, b"newer")
        names = {"version_id": old.version_id} if named == "version" else {"etag": old.etag}
        states: list[ObjectState] = []
        for is_deleted in (False, True):
            if is_deleted:
                store.client.delete_object(Bucket=settings.bucket, Key=KEY, VersionId=old.version_id or "")
            with fetcher.fetch(fetcher.wanted(uri, **names), cancelled=never, on_state=states.append) as audio:
                is_old = named == "version" and not is_deleted
                assert audio.path.read_bytes() == (BODY if is_old else b"newer")
                assert audio.source_changed is not is_old
            assert states[-1] == fetcher.stat(uri, **names)

    def test_a_version_that_is_deleted_after_its_state_was_read_gives_way_to_the_current_one(
        self, store: ObjectStore, fetcher: ObjectFetcher, settings: S3Settings
    ) -> None:
        """The current bytes are used and marked, as if the version had been missing from the start."""
        state = fetcher.stat(f"s3://{settings.bucket}/{KEY}")
        store.put(settings, KEY, b"newer")
        store.client.delete_object(Bucket=settings.bucket, Key=KEY, VersionId=state.version_id or "")
        with fetcher.fetch(state, cancelled=never) as audio:
            assert (audio.path.read_bytes(), audio.source_changed) == (b"newer", True)

    def test_a_deleted_object_is_not_found(
        self, store: ObjectStore, fetcher: ObjectFetcher, settings: S3Settings
    ) -> None:
        """Neither a missing key, nor a deleted one, nor a missing bucket is more than not found."""
        store.client.delete_object(Bucket=settings.bucket, Key=KEY)
        for key in (KEY, "never.wav"):
            with pytest.raises(AudioNotFound):
                fetcher.stat(f"s3://{settings.bucket}/{key}")
            with pytest.raises(AudioNotFound), fetched(fetcher, settings, key):
                pass
        elsewhere = settings.model_copy(update={"bucket": "no-such-bucket-here"})
        with pytest.raises(AudioNotFound):
            ObjectFetcher(elsewhere, client=store.client).stat("s3://no-such-bucket-here/a.wav")

    def test_sizes_are_checked_before_anything_is_read(
        self, store: ObjectStore, settings: S3Settings, tmp_path: Path
    ) -> None:
        """An empty or too large object is refused by its size alone."""
        limited = settings.model_copy(update={"object_limit_bytes": len(BODY) - 1})
        fetcher = ObjectFetcher(limited, scratch_directory=tmp_path, client=store.client)
        store.put(settings, "empty.wav", b"")
        with pytest.raises(AudioEmpty), fetched(fetcher, settings, "empty.wav"):
            pass
        with pytest.raises(AudioTooLarge, match="KASCRIBE_S3_OBJECT_LIMIT_BYTES"), fetched(fetcher, settings, KEY):
            pass

    @pytest.mark.parametrize(
        "uri", ["s3://other-bucket/a.wav", "https://h/a.wav", "s3://", "s3://b", "s3:///k", "/etc/passwd", ""]
    )
    def test_what_is_not_allowed_is_not_fetched(self, fetcher: ObjectFetcher, uri: str) -> None:
        """Other buckets and other schemes are refused without a request."""
        with pytest.raises(SourceNotAllowed, match="nothing was fetched"):
            fetcher.stat(uri)

    def test_a_cancelled_fetch_ends_and_leaves_nothing(
        self, fetcher: ObjectFetcher, settings: S3Settings, tmp_path: Path
    ) -> None:
        """Cancellation in the middle of the parts raises JobCancelled and removes what was written."""
        asked = itertools.count()
        state = fetcher.stat(f"s3://{settings.bucket}/{KEY}")
        with pytest.raises(JobCancelled), fetcher.fetch(state, cancelled=lambda: next(asked) >= 1):
            pass
        assert leftovers(tmp_path) == []

    def test_a_cancelled_fetch_closes_its_connection(
        self, store: ObjectStore, settings: S3Settings, tmp_path: Path
    ) -> None:
        """A body that is not read to its end leaves no socket open."""
        store.put(settings, "long.wav", bytes(4 * READ_BYTES))
        whole = settings.model_copy(update={"part_size_bytes": 4 * READ_BYTES})
        fetcher = ObjectFetcher(whole, scratch_directory=tmp_path, client=store.client)
        state = fetcher.stat(f"s3://{settings.bucket}/long.wav")
        before = connections_to(store)
        with pytest.raises(JobCancelled) as cancelled, fetcher.fetch(state, cancelled=lambda: True):
            pass
        # The error is still there, and holds what was open when it was raised.
        assert cancelled.value.__traceback__ is not None
        assert connections_to(store) <= before

    def test_the_store_is_seen_to_be_up_and_down(self, fetcher: ObjectFetcher, settings: S3Settings) -> None:
        """It serves when it has the bucket for results, which every record needs; one for audio may be missing."""
        assert fetcher.is_up("s3")
        no_audio = {"bucket": "no-such-bucket-here", "results_bucket": settings.bucket}
        assert ObjectFetcher(settings.model_copy(update=no_audio)).is_up("s3")
        no_results = {"results_bucket": "no-such-bucket-here"}
        assert not ObjectFetcher(settings.model_copy(update=no_results)).is_up("s3")
        assert not ObjectFetcher(settings.model_copy(update={"endpoint_url": "http://127.0.0.1:9"})).is_up("s3")


def fetched(fetcher: ObjectFetcher, settings: S3Settings, key: str) -> AbstractContextManager[FetchedAudio]:
    """Fetch an object."""
    return fetcher.fetch(fetcher.wanted(f"s3://{settings.bucket}/{key}"), cancelled=never)


def leftovers(scratch: Path) -> list[Path]:
    """Return what a fetch left in its scratch directory; the lock that marks it as in use does not count."""
    return [path for path in scratch.rglob("*") if path.is_file() and path.name != "in-use"]


def connections_to(store: ObjectStore) -> int:
    """Count the open connections of this process to a store."""
    port = urlsplit(store.endpoint_url).port
    sockets = [each for each in gc.get_objects() if isinstance(each, socket.socket) and each.fileno() >= 0]
    return sum(_peer_port(each) == port for each in sockets)


def _peer_port(connection: socket.socket) -> int | None:
    try:
        return int(connection.getpeername()[1])
    except (OSError, IndexError):
        return None
