"""The Kafka client's repeated lines cost one line a minute."""

import logging

from kascribe.process.repeated_lines import INTERVAL_SECONDS, REMEMBERED_LINES, RepeatedKafkaLines
from tests.support.clock import HandClock


def line(text: str, *, name: str = "kafka.consumer") -> logging.LogRecord:
    """Return a line as the client logs it."""
    return logging.LogRecord(name, logging.ERROR, __file__, 1, "%s", (text,), None)


def test_lines_that_differ_only_in_numbers_are_logged_once_a_minute() -> None:
    """The line after the minute counts those that were left out; the count begins again after it."""
    clock = HandClock()
    lines = RepeatedKafkaLines(clock)
    refused = "FAIL [thrd:127.0.0.1:{0}/1]: Connect failed: Connection refused (after {0}ms in state CONNECT)"
    shown = [lines.filter(line(refused.format(number))) for number in range(20)]
    assert shown == [True] + [False] * 19
    clock.seconds += INTERVAL_SECONDS
    after = line(refused.format(7))
    assert lines.filter(after)
    assert after.getMessage().endswith("CONNECT) (19 lines like this were left out)")
    clock.seconds += INTERVAL_SECONDS
    last = line(refused.format(8))
    assert lines.filter(last)
    assert last.getMessage() == refused.format(8)


def test_another_line_and_another_client_are_logged_at_once() -> None:
    """Only repetition is left out, never news."""
    lines = RepeatedKafkaLines(HandClock())
    assert lines.filter(line("FAIL: Connection refused"))
    assert lines.filter(line("FAIL: SSL handshake failed"))
    assert lines.filter(line("FAIL: Connection refused", name="kafka.producer"))
    assert not lines.filter(line("FAIL: Connection refused", name="kafka.producer"))


def test_lines_of_other_libraries_always_pass() -> None:
    """Their lines are not known to repeat."""
    lines = RepeatedKafkaLines(HandClock())
    assert all(lines.filter(line("the same", name=name)) for name in ("uvicorn", "uvicorn", "kafkaesque"))
    assert lines.filter(line("the same", name="kafkaesque"))


def test_memory_is_bounded_whatever_the_client_logs() -> None:
    """A line that was forgotten is logged again."""
    lines = RepeatedKafkaLines(HandClock())
    assert lines.filter(line("first"))
    for index in range(REMEMBERED_LINES):
        assert lines.filter(line("x" * (index + 1)))
    assert lines.filter(line("first"))
