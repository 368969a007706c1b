"""Unknown names, more and longer than people write: they cost no worker its time, and no message grows."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from schemas.errors import InvalidOptions
from schemas.events import AudioReference
from schemas.kafka.records import Record
from schemas.kafka.wire import decode
from schemas.notifications import requested_options

LONG = "idempotencykey" * 50_000
MANY = {f"idempotencykez{number}x": "v" for number in range(40_000)}
CPU_SECONDS = 10.0
"""Half a second was measured; without limits it was 15 s for the long name and 135 s for the many."""


@contextmanager
def cheaply() -> Iterator[None]:
    """Fails when what is done takes long, by the clock of this thread alone."""
    began = time.thread_time()
    yield
    assert time.thread_time() - began < CPU_SECONDS


def reference(**fields: Any) -> Record:
    """Return a reference with further fields."""
    known = {"event_id": "e", "occurred_at": "2026-11-22T09:00:00Z", "uri": "s3://a/b"}
    return Record("audio.references", 0, 0, None, json.dumps({**known, **fields}).encode())


@pytest.mark.parametrize("fields", [{LONG: 1}, MANY], ids=["long", "many"])
def test_fields_that_nobody_knows_are_compared_within_limits(fields: dict[str, Any]) -> None:
    """An event of a megabyte that other systems may write is read as any other."""
    with cheaply():
        assert decode(reference(**fields), AudioReference).idempotency_key is None


@pytest.mark.parametrize("options", [{LONG: 1}, MANY], ids=["long", "many"])
def test_the_message_about_unknown_options_is_short(options: dict[str, Any]) -> None:
    """It travels in headers, events and logs: some options are named, each by its beginning."""
    with cheaply(), pytest.raises(InvalidOptions, match=r"options\.idempotencyke\w* is not an option") as raised:
        decode(reference(options=options), AudioReference)
    assert len(str(raised.value)) < 2_500


def test_metadata_that_nobody_knows_is_compared_within_limits() -> None:
    """A notification may name more metadata than any store keeps."""
    with cheaply():
        assert requested_options({**MANY, LONG: "v"}).metadata[LONG] == "v"
