"""``kascribe webhooks``: what a receiver answered, in words, and a secret."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from kascribe.commands.webhooks import app
from schemas.webhooks.signing import NEW_SECRET_BYTES, keys_of
from tests.contract.notifier.webhook_receiver import OTHER_SECRET, SECRET, Receiver, receiving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """Receive on loopback, which the settings allow."""
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    monkeypatch.setenv("KASCRIBE_WEBHOOKS_SECRET", SECRET)
    monkeypatch.setenv("KASCRIBE_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("KASCRIBE_WEBHOOKS_HTTP_HOSTS", "127.0.0.1")
    with receiving(Receiver()) as one:
        yield one


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_a_receiver_that_takes_the_example_is_reported_with_its_time(receiver: Receiver) -> None:
    """The event is verified there, and of a type that no job has."""
    code, output = _run("test", "--url", f"http://127.0.0.1:{receiver.port}/in")
    assert (code, "took the event: 200" in output) == (0, True)
    (message,) = receiver.events.values()
    assert message["type"] == "webhook.test"


def test_what_was_wrong_comes_with_a_remedy(receiver: Receiver) -> None:
    """Another secret there, a path that is none, and an address that is not allowed."""
    receiver.secret = OTHER_SECRET
    url = f"http://127.0.0.1:{receiver.port}/in"
    code, output = _run("test", "--url", url, "--json")
    row = json.loads(output)
    assert (code, row["status"], row["reason"]) == (1, 401, "webhook_refused")
    assert "another secret" in row["remedy"]
    receiver.status = 503
    code, output = _run("test", "--url", url)
    assert (code, "answered 503" in output) == (1, True)
    code, output = _run("test", "--url", "https://10.0.0.7/", "--json")
    assert (code, json.loads(output)["reason"]) == (1, "webhook_not_allowed")


def test_a_secret_is_one_that_the_settings_accept(receiver: Receiver) -> None:
    """Each is another."""
    secrets = {_run("secret")[1].strip() for _ in range(2)}
    assert len(secrets) == 2
    assert [len(keys_of(secret)[0]) for secret in secrets] == [NEW_SECRET_BYTES] * 2
    assert receiver.requests == []
