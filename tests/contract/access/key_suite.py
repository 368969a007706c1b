"""What the stores of keys and usage promise over any S3 server: run on moto's in process, and on a real MinIO."""

from datetime import UTC, date, datetime, timedelta

import pytest

from producers.api_keys.key import ApiKey, KeyDefaults, KeyLimits, KeyState
from producers.api_keys.rights import Right
from producers.api_keys.secrets import digest_of, is_secret
from producers.api_keys.store import ApiKeys
from producers.api_keys.usage import Usage, UsageStore
from schemas.errors import ConfigurationError, DependencyDown
from schemas.options import Lane
from schemas.settings import S3Settings
from tests.support.object_store import ObjectStore

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
TODAY = date(2026, 11, 22)


def key_of(key_id: str = "k1", **changed: object) -> ApiKey:
    """Build a key of the tenant acme with every right."""
    given = {"id": key_id, "name": "a key", "tenant": "acme", "rights": tuple(Right), "created_at": NOW}
    return ApiKey.model_validate({**given, **changed})


class KeySuite:
    """What ``ApiKeys`` and ``UsageStore`` promise. Subclasses give the fixture ``store``."""

    @pytest.fixture
    def settings(self, store: ObjectStore) -> S3Settings:
        """Return a bucket of one's own."""
        return store.settings()

    @pytest.fixture
    def keys(self, store: ObjectStore, settings: S3Settings) -> ApiKeys:
        """Return a store of keys in it."""
        return ApiKeys(settings, client=store.client)

    @pytest.fixture
    def usage(self, store: ObjectStore, settings: S3Settings) -> UsageStore:
        """Return a store of usage in it."""
        return UsageStore(settings, client=store.client)

    def test_a_key_is_found_by_the_digest_of_its_secret(self, keys: ApiKeys) -> None:
        """With everything that it grants and limits; another secret finds nothing."""
        key = key_of(
            lane=Lane.BULK,
            limits=KeyLimits(requests_per_minute=60, bytes_per_day=10**12),
            defaults=KeyDefaults(transcribe={"hotwords": "Kascribe"}, enrich={"profiles": ["summary"]}),
            expires_at=NOW + timedelta(days=90),
        )
        secret = keys.issue(key)
        assert is_secret(secret)
        assert keys.find(digest_of(secret)) == key
        assert keys.find(digest_of(secret[:-1])) is None

    def test_secrets_are_not_stored(self, store: ObjectStore, keys: ApiKeys, settings: S3Settings) -> None:
        """Whoever reads the bucket can use no key: only the digest is there, in the object's name."""
        secret = keys.issue(key_of())
        (name,) = store.keys(settings.bucket)
        assert name == f"kascribe-results/keys/{digest_of(secret)}.json"
        body = store.client.get_object(Bucket=settings.bucket, Key=name)["Body"].read().decode()
        assert secret not in body
        assert secret.removeprefix("kas_") not in body

    def test_no_two_secrets_are_equal(self, keys: ApiKeys) -> None:
        """Each is random by itself."""
        assert len({keys.issue(key_of(f"k{number}")) for number in range(20)}) == 20

    def test_a_key_is_revoked_by_its_id(self, keys: ApiKeys) -> None:
        """It stays in the list, with the moment of the first revocation."""
        kept, ended = keys.issue(key_of("k1")), keys.issue(key_of("k2"))
        keys.revoke("k2", now=NOW)
        keys.revoke("k2", now=NOW + timedelta(hours=1))
        found = keys.find(digest_of(ended))
        assert found is not None
        assert (found.revoked_at, found.state_at(NOW)) == (NOW, KeyState.REVOKED)
        assert keys.find(digest_of(kept)) == key_of("k1")
        assert [key.id for key in keys.all()] == ["k1", "k2"]
        with pytest.raises(ConfigurationError, match="keys list"):
            keys.revoke("k3", now=NOW)

    def test_a_key_of_a_later_release_is_refused_and_the_others_are_not(
        self, store: ObjectStore, keys: ApiKeys, settings: S3Settings
    ) -> None:
        """A limit that this release does not know would not be kept."""
        keys.issue(key_of("k1"))
        later = key_of("k2").model_dump_json().replace('"limits":{', '"limits":{"later":1,')
        store.put(settings, f"kascribe-results/keys/{digest_of('later')}.json", later.encode())
        assert keys.find(digest_of("later")) is None
        assert [key.id for key in keys.all()] == ["k1"]

    def test_a_store_that_does_not_serve_is_a_dependency_down(
        self, store: ObjectStore, settings: S3Settings
    ) -> None:
        """A missing bucket is no missing key."""
        gone = settings.model_copy(update={"bucket": "no-such-bucket-here"})
        keys = ApiKeys(gone, client=store.client)
        for call in (lambda: keys.find(digest_of("x")), lambda: keys.issue(key_of()), keys.all):
            with pytest.raises(DependencyDown):
                call()

    def test_each_gateway_reads_what_the_others_have_counted(self, usage: UsageStore) -> None:
        """Of the same key and day; its own object is left out, since it knows better itself."""
        for gateway, size in (("a", 10), ("b", 20), ("c", 30)):
            usage.put("k1", TODAY, gateway, Usage(requests=1, body_bytes=1))
            usage.put("k1", TODAY, gateway, Usage(requests=2, body_bytes=size))
        usage.put("k1", TODAY - timedelta(days=1), "d", Usage(requests=1, body_bytes=1_000))
        usage.put("k11", TODAY, "d", Usage(requests=1, body_bytes=1_000))
        assert usage.of_others("k1", TODAY, "a") == Usage(requests=4, body_bytes=50)
        assert usage.of_others("k1", TODAY, "new") == Usage(requests=6, body_bytes=60)
        assert usage.of_others("k2", TODAY, "a") == Usage()

    def test_old_days_are_forgotten(self, usage: UsageStore) -> None:
        """Those before a day, of one key; the day itself stays, as the last day of use."""
        for key_id in ("k1", "k2"):
            for days in range(4):
                usage.put(key_id, TODAY - timedelta(days=days), "a", Usage(body_bytes=1))
        usage.forget_before("k1", TODAY - timedelta(days=1))
        counted = [
            [usage.of_others(key_id, TODAY - timedelta(days=days), "b").body_bytes for days in range(4)]
            for key_id in ("k1", "k2")
        ]
        assert counted == [[1, 1, 0, 0], [1, 1, 1, 1]]

    def test_the_last_day_of_use_is_known(self, usage: UsageStore) -> None:
        """For lists of keys; a key that was never used has none."""
        assert usage.last_day("k1") is None
        for days in (3, 0, 1):
            usage.put("k1", TODAY - timedelta(days=days), "a", Usage(requests=1))
        assert usage.last_day("k1") == TODAY
