"""Command line of the collector: build it, run it, and show the traces that it has written."""

import argparse
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.collector import traces
from deploy.collector.building import collector_command, collector_environment, collector_program
from deploy.collector.drawing import draw
from deploy.stack import StackError, default_cache

NO_TRACE: Final = 3
DEFAULT_PORT: Final = 4_318
HEALTH_PORT: Final = 13_133


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 on success, 1 on failure, 3 where there is no such trace."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.collector", description=__doc__)
    parser.add_argument("--cache", type=Path, default=default_cache(), help="built servers (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="fetch and build the collector, and start nothing")
    build.set_defaults(run=_build)
    run = commands.add_parser("run", help="run it in the foreground, on loopback, until Ctrl-C")
    run.add_argument("file", type=Path, help="where traces are written, one JSON object a line")
    run.add_argument("--port", type=int, default=DEFAULT_PORT, help="OTLP over HTTP (default: %(default)s)")
    run.add_argument("--health-port", type=int, default=HEALTH_PORT, help="(default: %(default)s)")
    run.set_defaults(run=_run)
    show = commands.add_parser("show", help="show the newest trace of a file, or one by its id")
    show.add_argument("file", type=Path, help="what the collector has written")
    show.add_argument("trace_id", nargs="?", help="a trace, by the beginning of its id")
    show.add_argument("--all", action="store_true", help="every trace, the newest last")
    show.add_argument("--json", action="store_true", help="one JSON object for each span, one a line")
    show.set_defaults(run=_show)
    return parser


def _build(chosen: argparse.Namespace) -> int:
    print(collector_program(chosen.cache))
    return 0


def _run(chosen: argparse.Namespace) -> int:
    program = collector_program(chosen.cache)
    chosen.file.parent.mkdir(parents=True, exist_ok=True)
    environment = collector_environment(port=chosen.port, health_port=chosen.health_port, file=chosen.file)
    print(f"set KASCRIBE_TRACING_ENDPOINT_URL=http://127.0.0.1:{chosen.port}", flush=True)
    os.execve(program, collector_command(program), environment)  # noqa: S606 - it takes this process's place


def _show(chosen: argparse.Namespace) -> int:
    found = traces.by_trace(traces.read(chosen.file))
    if chosen.trace_id:
        found = {trace_id: spans for trace_id, spans in found.items() if trace_id.startswith(chosen.trace_id)}
    if not found:
        named = f" of the id {chosen.trace_id}" if chosen.trace_id else ""
        print(
            f"error: no trace{named} in {chosen.file}; a span is written about two seconds after its end",
            file=sys.stderr,
        )
        return NO_TRACE
    for number, spans in enumerate(found.values() if chosen.all else [list(found.values())[-1]]):
        if chosen.json:
            for span in spans:
                print(json.dumps(dataclasses.asdict(span), ensure_ascii=False))
            continue
        if number:
            print()
        for line in draw(spans, width=shutil.get_terminal_size().columns):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
