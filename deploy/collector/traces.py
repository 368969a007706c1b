"""Traces in a file that the collector's file exporter has written: one OTLP request a line, as JSON."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ERROR: Final = 2
"""OTLP's status code of a span that failed."""


@dataclass(frozen=True, slots=True)
class CollectedSpan:
    """A span as the collector has it. Times are nanoseconds since the epoch, ``links`` ids of spans."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, Any]
    events: tuple[str, ...]
    links: tuple[str, ...]
    failed: bool

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended_ns - self.started_ns) / 1e9


def read(file: Path) -> list[CollectedSpan]:
    """Read all spans. A last line that is being written is left out; no file means no spans."""
    if not file.exists():
        return []
    spans: list[CollectedSpan] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            request = json.loads(line)
        except ValueError:
            continue
        spans += _spans(request)
    return spans


def by_trace(spans: Iterable[CollectedSpan]) -> dict[str, list[CollectedSpan]]:
    """Group spans by trace, the newest trace last; within a trace by their beginning."""
    groups: dict[str, list[CollectedSpan]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: (span.started_ns, -span.ended_ns)):
        groups[span.trace_id].append(span)
    return dict(groups)


def roots(spans: Iterable[CollectedSpan]) -> list[CollectedSpan]:
    """Return the spans of a trace whose parents are not among them."""
    known = list(spans)
    ids = {span.span_id for span in known}
    return [span for span in known if span.parent_id not in ids]


def children(spans: Iterable[CollectedSpan], parent: CollectedSpan) -> list[CollectedSpan]:
    """Return the children of a span, in the order in which they are given."""
    return [span for span in spans if span.parent_id == parent.span_id]


def _spans(request: Mapping[str, Any]) -> Iterator[CollectedSpan]:
    for resource in request.get("resourceSpans", ()):
        process = _attributes(resource.get("resource", {}).get("attributes", ()))
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                yield CollectedSpan(
                    trace_id=span["traceId"],
                    span_id=span["spanId"],
                    parent_id=span.get("parentSpanId", ""),
                    name=span["name"],
                    service=str(process.get("service.name", "")),
                    started_ns=int(span["startTimeUnixNano"]),
                    ended_ns=int(span["endTimeUnixNano"]),
                    attributes=_attributes(span.get("attributes", ())),
                    events=tuple(event["name"] for event in span.get("events", ())),
                    links=tuple(link["spanId"] for link in span.get("links", ())),
                    failed=span.get("status", {}).get("code") == ERROR,
                )


def _attributes(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: _value(pair["value"]) for pair in pairs}


def _value(value: Mapping[str, Any]) -> Any:
    """Return an attribute's value; OTLP's JSON has 64-bit integers as text, and no value for an empty text."""
    if "arrayValue" in value:
        return [_value(each) for each in value["arrayValue"].get("values", ())]
    return int(value["intValue"]) if "intValue" in value else next(iter(value.values()), "")
