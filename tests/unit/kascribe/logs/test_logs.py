"""What log lines show, and what they never show."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from kascribe.process.logs import REDACTED, configure_logs
from schemas.settings import LogSettings


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where lines go; logging is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def _line(stream: io.StringIO) -> dict[str, Any]:
    return dict(json.loads(stream.getvalue().splitlines()[-1]))


def test_lines_off_a_terminal_are_json_with_level_and_utc_time(stream: io.StringIO) -> None:
    """One object per line, words in any script readable."""
    configure_logs(LogSettings(), stream=stream)
    structlog.get_logger().info("회의 끝", records=3)
    line = _line(stream)
    assert (line["event"], line["level"], line["records"]) == ("회의 끝", "info", 3)
    assert line["timestamp"].endswith("Z")
    assert "회의" in stream.getvalue()


def test_secrets_are_not_printed_whatever_carries_them(stream: io.StringIO) -> None:
    """By type, by name, inside dictionaries and inside URLs."""
    configure_logs(LogSettings(), stream=stream)
    structlog.get_logger().info(
        "start",
        api_key="hunter2",
        token=SecretStr("hunter2"),
        properties={"sasl.password": "hunter2", "client.id": "me"},
        url="http://user:hunter2@host/path",
    )
    line = _line(stream)
    assert "hunter2" not in stream.getvalue()
    assert line["api_key"] == line["token"] == line["properties"]["sasl.password"] == REDACTED
    assert line["properties"]["client.id"] == "me"


def test_libraries_speak_in_the_same_form_and_from_warning_on(stream: io.StringIO) -> None:
    """A library's line is JSON too; its chatter, which may hold URLs with credentials, is not printed."""
    configure_logs(LogSettings(level="debug"), stream=stream)
    logging.getLogger("library").info("GET http://user:hunter2@host")
    assert stream.getvalue() == ""
    logging.getLogger("library").warning("slow: %s", "http://user:hunter2@host")
    assert _line(stream)["logger"] == "library"
    assert "hunter2" not in stream.getvalue()


def test_an_exception_is_in_the_line(stream: io.StringIO) -> None:
    """The traceback is a field, so that a line stays a line."""
    configure_logs(LogSettings(), stream=stream)
    try:
        int("broken")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError: invalid literal" in _line(stream)["exception"]


HOSTILE = "\x1b]0;owned\x07\x9b2J\x7f \u202egpj.wav\n2026-01-01 forged"


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_a_line_holds_cannot_steer_the_terminal_that_shows_it(stream: io.StringIO, form: str) -> None:
    """Names, messages and exceptions come from anywhere, and JSON alone leaves C1 controls and overrides."""
    configure_logs(LogSettings.model_validate({"format": form}), stream=stream)
    try:
        int(HOSTILE)
    except ValueError:
        structlog.get_logger().exception(HOSTILE, name=HOSTILE, nested={"key": HOSTILE}, listed=[HOSTILE])
    logging.getLogger("library").warning("%s", HOSTILE)
    for steering in "\x1b\x07\x9b\x7f\u202e":
        assert steering not in stream.getvalue()
    assert "\\u202egpj.wav" in stream.getvalue()
    if form == "json":
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert [lines[0]["event"], lines[0]["name"], lines[1]["event"]] == [HOSTILE] * 3
