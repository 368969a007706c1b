"""Traces that a collector has written, read back and drawn."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.collector import traces
from deploy.collector.__main__ import NO_TRACE, main
from deploy.collector.drawing import draw

SECOND = 1_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"
SERVICE = {"key": "service.name", "value": {"stringValue": "kascribe-transcriber"}}


def span(span_id: str, name: str, parent: str = "", *, at: int, seconds: int, **more: Any) -> dict[str, Any]:
    """Return a span as OTLP's JSON has it."""
    times = {"startTimeUnixNano": str(at * SECOND), "endTimeUnixNano": str((at + seconds) * SECOND)}
    return {"traceId": TRACE, "spanId": span_id, "parentSpanId": parent, "name": name, **times, **more}


def write(file: Path, *lines: list[dict[str, Any]]) -> Path:
    """Write one request a line."""
    requests = (
        {"resourceSpans": [{"resource": {"attributes": [SERVICE]}, "scopeSpans": [{"spans": spans}]}]}
        for spans in lines
    )
    file.write_text("".join(json.dumps(request) + "\n" for request in requests), encoding="utf-8")
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with one trace, whose spans came in two requests and not in order."""
    failed = {"code": traces.ERROR}
    why = [{"key": "error.type", "value": {"stringValue": "audio_not_found"}}]
    events = [{"name": "batch"}, {"name": "batch"}]
    return write(
        tmp_path / "traces.jsonl",
        [span("b", "fetch", "a", at=11, seconds=1, status=failed, attributes=why)],
        [
            span("a", "process audio.objects", at=10, seconds=4),
            span("c", "hear", "a", at=12, seconds=2, events=events),
        ],
    )


def test_spans_of_several_requests_are_one_trace_in_their_order(file: Path) -> None:
    """Each process sends its own, when it has some."""
    ((trace_id, spans),) = traces.by_trace(traces.read(file)).items()
    assert trace_id == TRACE
    assert [each.name for each in spans] == ["process audio.objects", "fetch", "hear"]
    assert [each.name for each in traces.roots(spans)] == ["process audio.objects"]
    assert [each.seconds for each in spans] == [4.0, 1.0, 2.0]
    assert spans[1].attributes == {"error.type": "audio_not_found"}


def test_a_line_that_is_being_written_is_left_out(file: Path) -> None:
    """The file is read while the collector runs."""
    with file.open("a", encoding="utf-8") as opened:
        opened.write('{"resourceSpans": [')
    assert len(traces.read(file)) == 3
    assert traces.read(file.parent / "none") == []


def test_values_of_attributes_are_read_in_all_their_forms(tmp_path: Path) -> None:
    """OTLP's JSON has integers as text, lists in an object, and nothing for an empty text."""
    values = {
        "n": {"intValue": "7"},
        "l": {"arrayValue": {"values": [{"stringValue": "a"}]}},
        "e": {},
        "b": {"boolValue": True},
    }
    pairs = [{"key": key, "value": value} for key, value in values.items()]
    (read,) = traces.read(write(tmp_path / "file", [span("a", "x", at=1, seconds=1, attributes=pairs)]))
    assert read.attributes == {"n": 7, "l": ["a"], "e": "", "b": True}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_trace_is_drawn_as_a_tree_that_fits_the_terminal(file: Path, width: int) -> None:
    """With what failed, and how often the model was called."""
    spans = traces.by_trace(traces.read(file))[TRACE]
    lines = list(draw(spans, width=width))
    assert max(map(len, lines)) <= width
    assert lines[0] == f"trace {TRACE}: 3 spans, 4.000 s"
    assert lines[2].endswith("  4.000 s  process audio.objects")
    assert "    1.000 s    fetch  (failed: audio_no" in lines[3]
    assert "  2.000 s    hear  (2 calls" in lines[4]
    assert lines[4].index("━") == 8  # half of the time of the trace


def test_the_command_shows_a_trace_and_says_where_there_is_none(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit code tells a script."""
    assert main(["show", str(file), TRACE[:6]]) == 0
    assert "process audio.objects" in capsys.readouterr().out
    assert main(["show", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["name"] == "process audio.objects"
    assert main(["show", str(file), "ffff"]) == NO_TRACE
    assert "no trace of the id ffff" in capsys.readouterr().err
