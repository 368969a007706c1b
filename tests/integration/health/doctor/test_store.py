"""Each failure of the object store, provoked on a real MinIO: its row, its remedy, and no other row."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import boto3
import pytest

from kascribe.operations.doctor.findings import State
from kascribe.operations.doctor.s3 import notifications, store
from tests.integration.health.doctor.examined import Installation, Rows, differences, examined, frozen, pid_of
from tests.integration.health.doctor.tampering import Answer, proxy_before

EVERY_ACTION = ("s3:*",)


def restricted_to(
    installation: Installation, actions: tuple[str, ...], *, denied: tuple[str, ...] = ()
) -> Mapping[str, str]:
    """Return temporary credentials of MinIO, which may only do this."""
    statements = [{"Effect": "Allow", "Action": list(actions), "Resource": ["arn:aws:s3:::*"]}]
    if denied:
        statements.append({"Effect": "Deny", "Action": list(denied), "Resource": ["arn:aws:s3:::*"]})
    policy = {"Version": "2012-10-17", "Statement": statements}
    environment = installation.stack.environment
    sts = boto3.client(
        "sts",
        endpoint_url=environment["KASCRIBE_S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    # MinIO takes any role: the session has the rights of these credentials that the policy leaves.
    made = sts.assume_role(
        RoleArn="arn:minio:iam:::role/doctor", RoleSessionName="doctor", Policy=json.dumps(policy)
    )["Credentials"]
    sts.close()
    return {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }


def only_store(rows: Rows) -> Rows:
    """Return the rows of the store."""
    return Rows({name: each for name, each in rows.findings.items() if " in " in name or "once" in name})


def test_probes_are_removed_with_their_versions(installation: Installation, well: Rows) -> None:
    """Nothing stays in the bucket, and a drop that was tried had arrived."""
    listed = installation.stack.s3.list_object_versions(Bucket=installation.bucket)
    assert listed.get("Versions", []) + listed.get("DeleteMarkers", []) == []
    assert "a drop arrived on" in well[f"drops in {installation.bucket}"].found
    assert well[f"versions in {installation.bucket}"].found.startswith("kept")


@pytest.mark.parametrize(
    ("action", "rows"),
    [
        ("s3:PutObject", {"results in", "uploads in"}),
        ("s3:GetObject", {"results in", "uploads in", "audio in"}),
        ("s3:ListBucket", {"results in", "audio in"}),
        ("s3:DeleteObject", {"results in", "uploads in"}),
    ],
)
def test_a_right_that_is_missing_is_named_with_its_action(
    installation: Installation, well: Rows, action: str, rows: set[str]
) -> None:
    """In the rows that need it, and in no other."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in restricted_to(installation, EVERY_ACTION, denied=(action,)).items():
            patch.setenv(name, value)
        after = examined(installation.settings(), areas=("S3",))
    failed = {
        name for name, state in differences(only_store(well), only_store(after)).items() if state == "failed"
    }
    assert failed == {f"{row} {installation.bucket}" for row in rows}
    assert all(action in after[name].remedy for name in failed)
    assert all("refused (403 AccessDenied)" in after[name].found for name in failed)
    for name in ("store", "clock", "credentials"):
        assert after[name].state is State.OK


@pytest.mark.parametrize(
    ("credentials", "remedy"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "sesame-open"}, "AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "AWS_PROFILE"),
    ],
)
def test_credentials_that_are_wrong_are_told_from_a_store_that_is_away(
    installation: Installation, credentials: Mapping[str, str], remedy: str
) -> None:
    """Everything else of the store waits for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name, value in credentials.items():
            patch.setenv(name, value)
        after = examined(installation.settings(), "gateway", areas=("S3",))
    assert after["credentials"].state is State.FAILED
    assert remedy in after["credentials"].remedy
    assert after.named(State.SKIPPED) == {f"results in {installation.bucket}", f"uploads in {installation.bucket}"}


def test_a_bucket_that_does_not_exist_is_named_with_its_setting(installation: Installation) -> None:
    """Each bucket has its own setting."""
    after = examined(installation.settings(s3__results_bucket="no-such-bucket"), "gateway", areas=("S3",))
    assert after["results in no-such-bucket"].state is State.FAILED
    assert "KASCRIBE_S3_RESULTS_BUCKET" in after["results in no-such-bucket"].remedy
    assert after[f"uploads in {installation.bucket}"].state is State.OK


@pytest.mark.parametrize(
    ("hours", "state"), [(timedelta(minutes=-2), State.WARNING), (timedelta(hours=1), State.FAILED)]
)
def test_a_clock_that_is_wrong_is_found(installation: Installation, hours: timedelta, state: State) -> None:
    """By the server's own Date."""
    at = format_datetime(datetime.now(UTC) + hours, usegmt=True)
    address = installation.stack.environment["KASCRIBE_S3_ENDPOINT_URL"]

    def tamper(answer: Answer) -> Answer:
        return replace(answer, headers={**answer.headers, "date": at})

    with proxy_before(address, tamper) as proxy:
        after = examined(installation.settings(s3__endpoint_url=proxy), "enricher", areas=("S3",))
    assert after["clock"].state is state
    assert "chronyd" in after["clock"].remedy
    assert after["credentials"].state is State.OK


def test_a_store_that_ignores_conditions_is_found(installation: Installation, well: Rows) -> None:
    """Where a second object with If-None-Match is taken, jobs would be done twice."""
    address = installation.stack.environment["KASCRIBE_S3_ENDPOINT_URL"]

    def tamper(answer: Answer) -> Answer:
        return replace(answer, status=200) if answer.status == 412 else answer

    with proxy_before(address, tamper) as proxy:
        after = examined(installation.settings(s3__endpoint_url=proxy), areas=("S3",))
    name = f"create once, {installation.bucket}"
    assert differences(only_store(well), only_store(after)) == {name: State.FAILED}
    assert "If-None-Match" in after[name].remedy


def test_a_frozen_store_is_given_up(
    installation: Installation, well: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts connections, and answers nothing; Kafka's rows stay as they are."""
    monkeypatch.setattr(store, "REQUEST_SECONDS", 0.5)
    with frozen(pid_of(installation.stack, "minio")):
        after = examined(installation.settings(), "gateway")
    assert after["store"].state is State.FAILED
    assert "accepts connections, and does not answer" in after["store"].found
    assert after["topics: gateway"] == well["topics: gateway"]


def test_a_store_that_is_away_is_named_with_its_address(installation: Installation) -> None:
    """And the setting that holds it."""
    after = examined(installation.settings(s3__endpoint_url="http://127.0.0.1:1"), "gateway", areas=("S3",))
    assert after["store"].state is State.FAILED
    assert "http://127.0.0.1:1" in after["store"].found
    assert "KASCRIBE_S3_ENDPOINT_URL" in after["store"].remedy


def test_drops_that_are_announced_nowhere_are_a_warning(installation: Installation) -> None:
    """A reconciler finds them all the same."""
    bucket = installation.stack.new_bucket()
    after = examined(installation.settings(s3__bucket=bucket), "transcriber", areas=("S3",))
    assert after[f"drops in {bucket}"].state is State.WARNING
    assert "kascribe reconcile" in after[f"drops in {bucket}"].remedy


def test_drops_that_are_announced_elsewhere_fail(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket says that it announces them; a real drop shows that the topic does not get them."""
    monkeypatch.setattr(notifications, "ARRIVAL_SECONDS", 1.5)
    elsewhere = installation.stack.new_topics("audio.objects")
    after = examined(installation.settings(kafka__topic_prefix=elsewhere), "transcriber", areas=("S3",))
    name = f"drops in {installation.bucket}"
    assert after[name].state is State.FAILED
    assert f"did not arrive on {elsewhere}audio.objects" in after[name].found
