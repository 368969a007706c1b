"""The receivers in docs/webhooks.md are run as they stand there."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from time import time
from typing import Any, Final

import pytest

from schemas.webhooks.payloads import WebhookType, body
from schemas.webhooks.signing import keys_of, signature
from tests.contract.notifier.webhook_receiver import OTHER_SECRET, SECRET
from tests.support.listening import missing

PAGE: Final = Path(__file__).parents[3] / "docs" / "webhooks.md"
BODY: Final = body(WebhookType.TRANSCRIPT_COMPLETED, "2026-11-22T09:00:00Z", {"job_id": "j1", "text": "세 줄"})


def _code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def _headers(secret: str, *, seconds_ago: int = 0) -> dict[str, str]:
    timestamp = int(time()) - seconds_ago
    signed = signature(keys_of(secret), message_id="m1", timestamp=timestamp, body=BODY)
    return {"webhook-id": "m1", "webhook-timestamp": str(timestamp), "webhook-signature": signed}


def test_the_python_receiver_takes_an_event_once(capsys: pytest.CaptureFixture[str]) -> None:
    """And refuses what another secret signed, or what is too old."""
    names: dict[str, Any] = {}
    exec(_code("python"), names)  # noqa: S102 - a block of our own page
    receive = names["receive"]
    for headers in (_headers(SECRET), _headers(f"{OTHER_SECRET} {SECRET}")):
        assert receive(SECRET, headers, BODY) == 204
    assert capsys.readouterr().out == "transcript.completed j1\n"
    assert receive(SECRET, _headers(OTHER_SECRET), BODY) == 401
    assert receive(SECRET, _headers(SECRET, seconds_ago=600), BODY) == 401


def test_the_receiver_for_node_verifies_as_the_library_does() -> None:
    """With two signatures, another secret, an old timestamp, and a changed body."""
    node = shutil.which("node") or missing("Node.js runs the example of docs/webhooks.md")
    cases = [
        (_headers(SECRET), BODY, True),
        (_headers(f"{OTHER_SECRET} {SECRET}"), BODY, True),
        (_headers(OTHER_SECRET), BODY, False),
        (_headers(SECRET, seconds_ago=600), BODY, False),
        (_headers(SECRET), BODY + b" ", False),
    ]
    given = json.dumps([[headers, sent.decode()] for headers, sent, _ in cases])
    script = f"{_code('js')}\nfor (const [h, b] of {given}) console.log(verify({json.dumps(SECRET)}, h, b));"
    ran = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == [str(expected).lower() for *_, expected in cases]
