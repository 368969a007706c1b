"""What each role needs, held against what it subscribes to and publishes."""

from base64 import b64encode

from kascribe.operations.doctor.findings import State
from kascribe.operations.doctor.masking import masked, secrets_of
from kascribe.operations.doctor.needs import ROLES, Right, bucket_needs, topic_needs
from kascribe.operations.doctor.roles import examined_roles, unconfigured
from schemas.kafka.topics import Topics, topics_used_by
from schemas.settings import ArchiveSettings, KafkaSettings, S3Settings, Settings, VllmSettings
from schemas.settings.webhooks import WebhooksSettings

SETTINGS = Settings(kafka=KafkaSettings(topic_prefix="x."))


def test_every_topic_of_a_role_is_one_that_is_created() -> None:
    """No name is made up, and the prefix stands before each."""
    topics = Topics("x.")
    known = set(topics_used_by(topics, topics.all, SETTINGS.runtime.retry_delays_seconds))
    known |= set(topics_used_by(topics, (topics.webhooks,), SETTINGS.webhooks.retry_delays_seconds))
    for role in ROLES:
        assert topic_needs(role, SETTINGS).all <= known, role


def test_what_a_role_retries_it_reads_and_writes() -> None:
    """With the delays of its own settings."""
    transcriber, notifier = topic_needs("transcriber", SETTINGS), topic_needs("notifier", SETTINGS)
    assert {
        "x.audio.references.retry.10s",
        "x.audio.objects.retry.10m",
    } <= transcriber.shared & transcriber.written
    assert {"x.audio.webhooks.retry.12h"} <= notifier.shared & notifier.written
    assert "x.audio.references.dlq" in transcriber.written - transcriber.read
    assert "x.audio.cancellations" in transcriber.followed


def test_only_members_of_groups_need_a_group() -> None:
    """A gateway follows topics, and a reconciler reads one."""
    groups = {role: topic_needs(role, SETTINGS).group for role in ROLES}
    assert groups["gateway"] is None
    assert groups["reconciler"] is None
    assert groups["enricher"] == "kascribe.enricher"
    assert (groups["archive"] or "").startswith("kascribe.")


def test_rights_on_buckets_follow_the_roles() -> None:
    """An archive reads results; a gateway alone uploads; sources are only read."""
    s3 = S3Settings(bucket="uploads", results_bucket="results", allowed_buckets=("calls", "uploads"))
    archive = bucket_needs(("archive",), s3)
    assert [(each.bucket, each.prefix) for each in archive] == [("results", None)]
    every = {each.name: each for each in bucket_needs(ROLES, s3)}
    assert list(every) == ["results in results", "uploads in uploads", "audio in calls", "audio in uploads"]
    assert Right.MULTIPART in every["uploads in uploads"].rights
    assert set(every["audio in calls"].rights) == {Right.LIST, Right.HEAD, Right.GET}
    assert bucket_needs(("notifier",), s3) == ()


def test_roles_are_those_that_the_settings_configure() -> None:
    """Others are named with the setting that they need; a user's choice wins."""
    assert examined_roles((), Settings()) == ("transcriber", "gateway", "reconciler")
    configured = Settings(
        vllm=VllmSettings(base_url="http://localhost:8000"),
        archive=ArchiveSettings.model_validate({"url": "sqlite:///archive.db"}),
        webhooks=WebhooksSettings.model_validate({"secret": "whsec_" + b64encode(b"x" * 24).decode()}),
    )
    assert examined_roles((), configured) == ROLES
    assert examined_roles(("notifier",), Settings()) == ("notifier",)
    assert unconfigured("archive").state is State.SKIPPED
    assert "KASCRIBE_ARCHIVE_URL" in unconfigured("archive").found


def test_no_secret_is_printed() -> None:
    """Neither one of the settings, nor one of the environment, nor credentials in an address."""
    settings = Settings(
        kafka=KafkaSettings.model_validate(
            {"properties": {"sasl.password": "sesame-1", "sasl.username": "alice", "ssl.ca.location": "/ca.pem"}}
        ),
        vllm=VllmSettings.model_validate({"api_key": "sesame-2"}),
        archive=ArchiveSettings.model_validate({"url": "postgresql://user:sesame-3@db/kascribe"}),
    )
    secrets = secrets_of(settings, {"AWS_SECRET_ACCESS_KEY": "sesame-4"})
    said = "alice: sesame-1, sesame-2, postgresql://user:sesame-3@db, sesame-4, /ca.pem"
    assert masked(said, secrets) == "alice: ****, ****, postgresql://****@db, ****, /ca.pem"
