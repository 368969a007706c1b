"""What a record that cannot be read still tells about its caller."""

from datetime import UTC, datetime

from consumers.lenient import decode_leniently
from schemas.events import AudioReference

DEFAULTS = {"event_id": "e", "occurred_at": datetime(2026, 1, 1, tzinfo=UTC), "uri": "s3://audio/call.wav"}


def read(value: bytes) -> AudioReference:
    """Return the reference that the failure's events are built from."""
    return decode_leniently(value, AudioReference, ("event_id", "tenant", "metadata"), DEFAULTS)


def test_one_metadata_value_that_is_no_text_costs_no_other_value() -> None:
    """Numbers and booleans are echoed as JSON writes them; what has no such form is left out alone."""
    told = read(b'{"metadata": {"call": "7", "line": 7, "paid": true, "parts": [1], "none": null}}')
    assert told.metadata == {"call": "7", "line": "7", "paid": "true"}


def test_a_field_that_is_not_valid_costs_no_other_field() -> None:
    """Each field stands for itself, in whatever order they come."""
    told = read(b'{"tenant": 7, "event_id": "a", "metadata": {"call": "7"}}')
    assert (told.tenant, told.event_id, told.metadata) == ("default", "a", {"call": "7"})


def test_bytes_that_are_no_json_object_tell_nothing() -> None:
    """The defaults stand, and nothing is raised."""
    for value in (b"", b"no JSON", b"[]", b"7", b"\xff"):
        assert read(value).event_id == "e"
