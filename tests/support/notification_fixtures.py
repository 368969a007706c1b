"""Notifications as the stores send them, byte for byte, for tests."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from schemas.notifications import (
    ObjectCreated,
    parse_notification,
)

FIXTURES: Final = Path(__file__).parents[1] / "unit" / "schemas" / "notifications"
NOW: Final = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
AWS_KEY: Final = "calls/my call (+1).wav"


def fixture(name: str) -> bytes:
    """Return the bytes of a notification, as its store or bridge writes them."""
    return (FIXTURES / f"{name}.json").read_bytes()


def only(name: str) -> ObjectCreated:
    """Return the one new object of a fixture."""
    (created,) = parse_notification(fixture(name)).created
    return created
