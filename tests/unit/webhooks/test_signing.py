"""Secrets, ids and signatures, against the library of Standard Webhooks."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from schemas.webhooks.signing import NEW_SECRET_BYTES, keys_of, message_id, new_secret, signature
from tests.contract.notifier.webhook_receiver import OTHER_SECRET, SECRET


def test_a_signature_is_the_librarys_for_every_secret() -> None:
    """Two secrets give two signatures, with a space between."""
    moment = datetime(2026, 11, 22, 9, tzinfo=UTC)
    body = '{"text":"세 줄"}'
    ours = signature(
        keys_of(f"{SECRET} {OTHER_SECRET}"),
        message_id="m1",
        timestamp=int(moment.timestamp()),
        body=body.encode(),
    )
    assert ours.split(" ") == [Webhook(secret).sign("m1", moment, body) for secret in (SECRET, OTHER_SECRET)]


def test_a_new_secret_has_the_form_that_libraries_read() -> None:
    """And as many bytes as were drawn."""
    drawn = bytes(range(NEW_SECRET_BYTES))
    assert keys_of(new_secret(drawn)) == (drawn,)
    assert new_secret(drawn) == "whsec_" + base64.b64encode(drawn).decode()


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [
        ("ab12.transcript", "ab12_transcript"),
        ("plain-id_7", "plain-id_7"),
    ],
)
def test_an_id_has_no_dot(event_id: str, expected: str) -> None:
    """A dot separates what is signed: the specification asks for ids without one."""
    assert message_id(event_id) == expected


@pytest.mark.parametrize("event_id", ["a\r\nb: c", "세", "x" * 300, ""])
def test_an_id_that_no_header_can_have_becomes_a_digest(event_id: str) -> None:
    """It is the same at every attempt."""
    assert message_id(event_id) == message_id(event_id)
    assert len(message_id(event_id)) == 64
