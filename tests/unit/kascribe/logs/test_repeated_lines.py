"""Lines with one cause cost one line a minute, and none hides another cause."""

import io
import logging
import sys

import pytest
import structlog

from kascribe.process.log_events.catalogue import EVENTS
from kascribe.process.repeated_lines import (
    INTERVAL_SECONDS,
    REMEMBERED_CAUSES,
    RepeatedLibraryLines,
    RepeatedLines,
    same_cause,
)
from tests.support.clock import HandClock

REFUSED = (
    "FAIL [rdkafka#consumer-{0}] [thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Connect failed: Connection refused "
)
REFUSED += "(after {0}ms in state CONNECT, {0} identical error(s) suppressed)"


def line(text: str, *, name: str = "kafka.consumer") -> logging.LogRecord:
    """Return a line as a library logs it."""
    return logging.LogRecord(name, logging.ERROR, __file__, 1, "%s", (text,), None)


def filtered(clock: HandClock) -> RepeatedLibraryLines:
    """Return the filter of a handler."""
    return RepeatedLibraryLines(RepeatedLines(clock))


def test_lines_of_libraries_that_differ_in_durations_and_counts_are_logged_once_a_minute() -> None:
    """The line after the minute counts those that were left out; the count begins again after it."""
    clock = HandClock()
    lines = filtered(clock)
    shown = [lines.filter(line(REFUSED.format(number))) for number in range(20)]
    assert shown == [True] + [False] * 19
    clock.seconds += INTERVAL_SECONDS
    after = line(REFUSED.format(7))
    assert lines.filter(after)
    assert after.__dict__["left_out"] == 19
    clock.seconds += INTERVAL_SECONDS
    last = line(REFUSED.format(8))
    assert lines.filter(last)
    assert "left_out" not in last.__dict__


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FAIL: Connection refused", "FAIL: SSL handshake failed"),
        ("127.0.0.1:9092/1: timed out", "127.0.0.1:9093/2: timed out"),
        ("HTTP 503", "HTTP 403"),
        ("ApiVersion failed: error code 58", "ApiVersion failed: error code 35"),
        ("audio.references[3]: not leader", "audio.references[4]: not leader"),
        ("audio.references.retry.10s: unknown topic", "audio.references.retry.30s: unknown topic"),
        ("no such bucket: audio", "no such bucket: audio-2"),
    ],
)
def test_another_cause_is_logged_at_once(one: str, other: str) -> None:
    """Status codes, ports, brokers and partitions are the cause, although they are numbers."""
    lines = filtered(HandClock())
    assert lines.filter(line(one))
    assert lines.filter(line(other))
    assert not lines.filter(line(one))
    assert lines.filter(line(one, name="kafka.producer"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("request 3f2a9c117be4 failed", "request 77d1e09ab3c2 failed"),
        (
            "refused (after 0ms in state CONNECT)",
            "refused (after 3ms in state CONNECT, 2 identical error(s) suppressed)",
        ),
        ("<socket at 0x7f11a2>", "<socket at 0x7f99bc>"),
        ("no answer after 5001 ms", "no answer after 4987 ms"),
        ("since 2026-11-27T21:15:06.123Z", "since 2026-11-27T21:16:07.456Z"),
        ("offset 18446744 is gone", "offset 18446790 is gone"),
    ],
)
def test_ids_times_and_addresses_in_memory_make_no_other_cause(one: str, other: str) -> None:
    """They differ in each line."""
    assert same_cause(one) == same_cause(other)


class _Unprintable(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("message", "argument", "error"),
    [
        ("%d things", "x", None),
        ("%s", _Unprintable(), None),
        (_Unprintable(), "x", None),
        ("%s", "x", _Unprintable()),
    ],
)
def test_a_log_call_with_a_defect_fails_no_work_and_has_its_line(
    message: object, argument: object, error: Exception | None
) -> None:
    """As with logging's own handlers, which say so on standard error."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(filtered(HandClock()))
    exc_info = (type(error), error, None) if error else None
    handler.handle(logging.LogRecord("library", logging.ERROR, __file__, 1, message, (argument,), exc_info))
    assert stream.getvalue().startswith(("%d things (its arg", "%s (its arg", "_Unprintable (its arg", "x\n"))


def test_an_event_repeats_with_its_cause_and_its_exception() -> None:
    """A job's id makes no other cause, an error does, and so does an exception with another text."""
    lines = RepeatedLines(HandClock())

    def passes(event: str, **fields: object) -> bool:
        try:
            lines.limit_event(None, "warning", {"event": event, **fields})
        except structlog.DropEvent:
            return False
        return True

    assert passes("bucket poll failed", error="refused", job_id="one")
    assert not passes("bucket poll failed", error="refused", job_id="two")
    assert passes("bucket poll failed", error="forbidden", job_id="two")
    untranslated = "stage raised an untranslated error, counted as transient"
    assert passes(untranslated, exc_info=ZeroDivisionError("one"))
    assert not passes(untranslated, exc_info=ZeroDivisionError("one"))
    assert passes(untranslated, exc_info=KeyError("one"))
    try:
        int("one")
    except ValueError:
        assert passes(untranslated, exc_info=True)
        assert not passes(untranslated, exc_info=sys.exc_info())


@pytest.mark.parametrize("name", ["retry", "dead letter", "record parked", "job cancelled"])
def test_what_happens_to_a_record_always_has_its_line(name: str) -> None:
    """However many records share the cause."""
    lines = RepeatedLines(HandClock())
    assert EVENTS[name].cause is None
    for _ in range(100):
        assert lines.limit_event(None, "warning", {"event": name, "error": "the same"})


def test_what_no_line_follows_is_counted_all_the_same() -> None:
    """After the interval, or at the end of the process; and then its next line is written."""
    clock = HandClock()
    lines = RepeatedLines(clock)
    assert [lines.left_out(("a",)), lines.left_out(("a",)), lines.left_out(("b",))] == [0, None, 0]
    assert lines.take_counts() == []
    clock.seconds += INTERVAL_SECONDS
    assert lines.take_counts() == [(("a",), 1)]
    assert [lines.left_out(("a",)), lines.left_out(("a",))] == [0, None]
    assert lines.take_counts(at_end=True) == [(("a",), 1)]


def test_memory_is_bounded_whatever_is_logged() -> None:
    """A cause that was forgotten is logged again, and what was left out of it is counted."""
    lines = RepeatedLines(HandClock())
    assert [lines.left_out(("first",)), lines.left_out(("first",))] == [0, None]
    for index in range(REMEMBERED_CAUSES):
        assert lines.left_out((f"{index}",)) == 0
    assert lines.left_out(("first",)) == 0
    assert (("first",), 1) in lines.take_counts()
