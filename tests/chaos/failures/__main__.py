"""``make chaos-failures``: provoke each failure on real servers, and write the table of what it shows."""

import argparse
import logging
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import structlog
from confluent_kafka import KafkaException

from deploy.stack import Stack, StackError, default_cache
from tests.chaos.failures.failure import Failure
from tests.chaos.failures.page import PAGE, page
from tests.chaos.failures.rows import ROWS
from tests.chaos.failures.run import Observed, named, problems, provoke
from tests.integration.stack import PrivateStack

REPOSITORY: Final = Path(__file__).parents[3]
DESCRIPTION: Final = (
    "Provoke failures of real brokers, an object store, a language model server, roles and the machine, one after "
    "the other, and compare what health, metrics, the log and the work show with what is promised. Needs what "
    "`make stack` needs; some rows need root for a namespace. Rows that went as promised are not run again until "
    "all have, and the table is written."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen rows; return 1 when one did not go as promised, 2 when the servers cannot run."""
    chosen = _parser().parse_args(arguments)
    rows = named(ROWS, chosen.names)
    if not rows:
        print(f"error: no failure is named {', '.join(chosen.names)}; --list shows the names", file=sys.stderr)
        return 2
    if chosen.list:
        for row in rows:
            print(f"{row.name:20} {row.title}: {row.provoked}")
        return 0
    results = _Results(chosen.state)
    if chosen.again or chosen.names:
        results.forget(rows)
    todo = [row for row in rows if not results.is_settled(row)]
    try:
        wrong = _run_all(todo, results, seed=chosen.seed, keep=chosen.keep)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _write_page(results)
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.failures", description=DESCRIPTION)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these, again; regular expressions")
    parser.add_argument("--list", action="store_true", help="show the failures, and provoke none")
    parser.add_argument("--again", action="store_true", help="all, also those that went as promised before")
    parser.add_argument("--seed", type=int, default=1, help="of the recordings (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the logs of the roles")
    parser.add_argument(
        "--state",
        type=Path,
        default=default_cache() / "failures",
        metavar="DIRECTORY",
        help="where results are kept (default: in KASCRIBE_CACHE)",
    )
    return parser


class _Results:
    """Results of rows, a file each, so that a run can be resumed until all rows have gone as promised."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, row: Failure) -> Observed | None:
        try:
            return Observed.from_json(self._file(row.name).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, seen: Observed) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._file(seen.name).write_text(seen.to_json(), encoding="utf-8")

    def forget(self, rows: Iterable[Failure]) -> None:
        for row in rows:
            self._file(row.name).unlink(missing_ok=True)

    def is_settled(self, row: Failure) -> bool:
        seen = self.read(row)
        return seen is not None and not problems(row.expected, seen)

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _run_all(rows: Iterable[Failure], results: _Results, *, seed: int, keep: bool) -> int:
    """Run rows, those that need the same servers together; return how many went wrong."""
    wrong = 0
    directory = Path(mkdtemp(prefix="kascribe-failures-"))
    print(f"logs: {directory}{'' if keep else ' (removed at the end, unless a row goes wrong)'}")
    for brokers in sorted({row.brokers for row in rows}):
        with _servers(directory / f"servers-{brokers}", brokers) as stack:
            for row in (row for row in rows if row.brokers == brokers):
                wrong += _run(row, stack, directory / row.name, results, seed=seed)
    if not wrong and not keep:
        subprocess.run(["rm", "-rf", str(directory)], check=True)
    return wrong


def _run(row: Failure, stack: PrivateStack, directory: Path, results: _Results, *, seed: int) -> int:
    if missing := row.missing():
        print(f"{row.name:20} not provoked: this machine lacks {missing}", flush=True)
        return 0
    directory.mkdir()
    began = time.monotonic()
    try:
        seen = provoke(row, stack, directory, seed=seed)
    except (AssertionError, KafkaException) as error:
        print(f"{row.name:20} broke: {error}", flush=True)
        return 1
    results.write(seen)
    wrong = problems(row.expected, seen)
    print(f"{row.name:20} {'as promised' if not wrong else 'wrong'}, {time.monotonic() - began:.0f} s", flush=True)
    for sentence in wrong:
        print(f"{'':20} {sentence}", flush=True)
    return bool(wrong)


@contextmanager
def _servers(directory: Path, brokers: int) -> Iterator[PrivateStack]:
    with ExitStack() as resources:
        servers = Stack.up(directory, brokers=brokers, topics=())
        resources.callback(servers.down, purge=True)
        s3 = servers.s3()
        resources.callback(s3.close)
        yield PrivateStack(servers, s3)


def _write_page(results: _Results) -> None:
    """Write the page, and forget the results, once every row has gone as promised; else say which have not."""
    lacking = [row.name for row in ROWS if not results.is_settled(row)]
    if lacking:
        print(f"{PAGE} is not written yet: {', '.join(lacking)}")
        return
    seen = {row.name: each for row in ROWS if (each := results.read(row))}
    (REPOSITORY / PAGE).write_text(page(ROWS, seen), encoding="utf-8")
    results.forget(ROWS)
    print(f"{PAGE} is written")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # our own clients lose their servers on purpose
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    sys.exit(main())
