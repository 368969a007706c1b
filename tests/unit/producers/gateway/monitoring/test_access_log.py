"""The access log has a line for each request, within bounds."""

from structlog.testing import capture_logs

from producers.gateway.monitoring.access_log import (
    LINES_PER_SECOND,
    WINDOW_SECONDS,
    AccessLog,
    AnsweredRequest,
)
from tests.support.clock import HandClock


def request(status: int | None = 200) -> AnsweredRequest:
    """Build a request that was answered."""
    return AnsweredRequest(
        method="GET",
        route=None,
        path="/nothing",
        status=status,
        duration_seconds=0.1,
        received_bytes=0,
        sent_bytes=7,
        client="10.0.0.1",
    )


def test_a_line_has_what_is_known() -> None:
    """And no names of what is not."""
    with capture_logs() as lines:
        AccessLog(HandClock()).write(request())
    assert lines == [
        {
            "event": "request",
            "log_level": "info",
            "method": "GET",
            "path": "/nothing",
            "status": 200,
            "duration_seconds": 0.1,
            "received_bytes": 0,
            "sent_bytes": 7,
            "client": "10.0.0.1",
        }
    ]


def test_a_client_in_a_loop_does_not_fill_the_disk() -> None:
    """So many lines a minute; the number of the others is logged afterwards."""
    clock, most = HandClock(), int(LINES_PER_SECOND * WINDOW_SECONDS)
    log = AccessLog(clock)
    with capture_logs() as lines:
        for _ in range(most + 5):
            log.write(request())
        assert len(lines) == most
        clock.seconds += WINDOW_SECONDS
        log.write(request())
    assert lines[most]["count"] == 5
    assert len(lines) == most + 2
