"""The order of time limits."""

import pytest

from kascribe.operations.doctor.findings import State
from kascribe.operations.doctor.timeouts import check_timeouts, seconds_of
from schemas.settings import KafkaSettings, RuntimeSettings, Settings


def states(
    *, drain: float = 30.0, revoke: float = 10.0, grace: float | None = 60.0, **properties: str
) -> dict[str, State]:
    """Return the state of each row."""
    settings = Settings(
        runtime=RuntimeSettings(drain_timeout_seconds=drain, revoke_timeout_seconds=revoke),
        kafka=KafkaSettings.model_validate(
            {"properties": {name.replace("_", "."): value for name, value in properties.items()}}
        ),
    )
    return {found.name: found.state for found in check_timeouts(settings, (), grace_seconds=grace)}


def test_the_defaults_are_in_order() -> None:
    """With the grace period of our own units."""
    assert states() == {"drain": State.OK, "revocation": State.OK, "confirmation": State.OK}


def test_a_grace_period_that_is_too_short_is_found() -> None:
    """A drain of half a minute within half a minute leaves nothing to close clients."""
    assert states(grace=30.0)["drain"] is State.FAILED
    assert states(grace=35.0)["drain"] is State.OK
    assert states(grace=None)["drain"] is State.SKIPPED


def test_letting_go_of_partitions_ends_before_the_broker_expels_the_process() -> None:
    """And not after the drain."""
    assert states(revoke=30.0, max_poll_interval_ms="30000")["revocation"] is State.FAILED
    assert states(revoke=40.0)["revocation"] is State.WARNING


def test_the_client_reports_before_a_role_counts_as_stuck() -> None:
    """Otherwise a supervisor would restart a role that only waits."""
    assert states(message_timeout_ms="60000")["confirmation"] is State.FAILED
    assert states(message_timeout_ms="59000")["confirmation"] is State.OK


@pytest.mark.parametrize(
    ("span", "seconds"), [("1min", 60.0), ("1min 30s", 90.0), ("500ms", 0.5), ("infinity", None), ("", None)]
)
def test_systemd_s_spans_are_read(span: str, seconds: float | None) -> None:
    """As `systemctl show` prints them."""
    assert seconds_of(span) == seconds
