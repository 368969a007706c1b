"""The page of the table: what each failure must show, from the rows, and the times that the last run measured."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Final

from tests.chaos.failures.failure import Expected, Failure, Line
from tests.chaos.failures.run import Observed

PAGE: Final = "docs/failures.md"

HEAD: Final = """# Failures, and what they show

<!-- Written by `make chaos-failures`; edits are lost. -->

`make chaos-failures` provokes each of these on a real Kafka and MinIO, with a role that runs as `kascribe run`
does, and compares what is seen with the table: while a failure lasts, the process may not seem ready in between,
no record may be blamed for it, no job may be lost or have two results (the same event may come again). A process
that ends is started again.

Times were measured row by row{machine}, with shorter limits than
the defaults: requests to the store and to vLLM 2 s, probes of what is down every 0.5 s, session 6 s in the row
STOP. "Ready after" and "done after" count from when the failure was mended. Kafka misses a process that was
killed after its session, 45 s by default.

| failure | live | ready | metric | log line | the work | shown after | ready after | done after |
|---|---|---|---|---|---|---|---|---|
"""


def page(rows: Iterable[Failure], seen: Mapping[str, Observed]) -> str:
    """Return the page."""
    rows = tuple(rows)
    table = "".join(f"{cells(row)} {_times(seen[row.name])}\n" for row in rows)
    how = "".join(f"- **{row.title}** (`{row.name}`): {row.provoked}.\n" for row in rows)
    loads = sorted(seen[row.name].load for row in rows)
    machine = f" on {os.cpu_count()} cores with a load of {loads[0]:.0f} to {loads[-1]:.0f}"
    return f"{HEAD.replace('{machine}', machine)}{table}\n## How each is provoked\n\n{how}"


def cells(row: Failure) -> str:
    """Return the cells of a row that are promised."""
    expected = row.expected
    promised = (
        row.title,
        _live(expected),
        _ready(expected),
        "none moves" if expected.sample is None else f"`{expected.sample}`",
        "none" if expected.line is None else _line(expected.line),
        _work(expected),
    )
    return f"| {' | '.join(promised)} |"


def _live(expected: Expected) -> str:
    ends = f"the process ends ({', '.join(map(str, expected.exit_codes))})" if expected.exit_codes else ""
    reason = "" if expected.live is None else _alternatives(expected.live)
    return "; ".join(filter(None, (reason, ends))) or "stays true"


def _ready(expected: Expected) -> str:
    if expected.ready is not None:
        return _alternatives(expected.ready)
    return "false until the next process has joined" if expected.exit_codes else "stays true"


def _work(expected: Expected) -> str:
    retries = f"; at most {expected.retries} retries" if expected.retries else ""
    letters = f"; {expected.letters} dead letters" if expected.letters else ""
    return f"{expected.work}{retries}{letters}"


def _line(line: Line) -> str:
    fields = "".join(f", {name}: {_alternatives(pattern)}" for name, pattern in line.fields.items())
    return f"{_alternatives(line.event)}{fields}"


def _alternatives(pattern: str) -> str:
    """Return a regular expression as words: its alternatives, without what is not literal."""
    return " or ".join(f"`{re.sub(r'[][^$()]', '', each)}`" for each in pattern.split("|"))


def _times(seen: Observed) -> str:
    shown = [
        seen.signs.not_ready_after,
        seen.signs.not_live_after,
        seen.signs.sample_after,
        seen.signs.line_after,
        seen.signs.ended_after,
    ]
    first = [after for after in shown if after is not None]
    cells = (max(first, default=None), seen.ready_again_seconds, seen.work_done_seconds)
    return " ".join(f"{'-' if cell is None else f'{cell:.1f} s'} |" for cell in cells)
