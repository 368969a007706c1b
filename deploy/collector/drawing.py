"""Drawing of a trace in a terminal: its spans as a tree, each with its time and a bar."""

from collections.abc import Iterator, Sequence
from typing import Final

from deploy.collector.traces import CollectedSpan, children, roots

BAR_CHARACTERS: Final = 16
DURATION_CHARACTERS: Final = 9
SMALLEST_WIDTH: Final = 60
DEPTH_LIMIT: Final = 32


def draw(spans: Sequence[CollectedSpan], *, width: int) -> Iterator[str]:
    """Yield the lines of one trace, none longer than ``width``."""
    began, ended = min(span.started_ns for span in spans), max(span.ended_ns for span in spans)
    services = ", ".join(dict.fromkeys(span.service for span in spans))
    yield f"trace {spans[0].trace_id}: {len(spans)} spans, {(ended - began) / 1e9:.3f} s"
    yield f"  {services}"[:width]
    for root in roots(spans):
        for depth, span in _walk(spans, root, 0):
            yield _line(span, depth, began, ended, width=max(width, SMALLEST_WIDTH))


def _walk(spans: Sequence[CollectedSpan], span: CollectedSpan, depth: int) -> Iterator[tuple[int, CollectedSpan]]:
    yield depth, span
    if depth < DEPTH_LIMIT:
        for child in children(spans, span):
            yield from _walk(spans, child, depth + 1)


def _line(span: CollectedSpan, depth: int, began: int, ended: int, *, width: int) -> str:
    whole = max(1, ended - began)
    left = min(BAR_CHARACTERS - 1, (span.started_ns - began) * BAR_CHARACTERS // whole)
    size = max(1, round((span.ended_ns - span.started_ns) * BAR_CHARACTERS / whole))
    bar = (" " * left + "━" * size)[:BAR_CHARACTERS].ljust(BAR_CHARACTERS)
    duration = f"{span.seconds:.3f} s".rjust(DURATION_CHARACTERS)
    text = f"{bar} {duration}  {'  ' * depth}{span.name}{_remark(span, is_root=depth == 0)}"
    return text if len(text) <= width else text[: width - 1] + "…"


def _remark(span: CollectedSpan, *, is_root: bool) -> str:
    remarks = []
    if span.failed:
        remarks.append(f"failed: {span.attributes.get('error.type', '')}")
    if span.links:
        remarks.append("after another attempt")
    if (batches := span.events.count("batch")) > 0:
        remarks.append(f"{batches} calls of the model" if batches > 1 else "1 call of the model")
    if is_root and span.parent_id:
        remarks.append("its parent is not here")
    return f"  ({'; '.join(remarks)})" if remarks else ""
