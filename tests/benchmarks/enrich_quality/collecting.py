"""The collection of answers: cells in their order, each answered by every tree in turn, kept as it arrives."""

import itertools
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field

from tests.benchmarks.enrich_quality.answers import Answer, AnswerFile
from tests.benchmarks.enrich_quality.recorder import Recorder
from tests.benchmarks.enrich_quality.schedule import Cell, cells
from tests.benchmarks.enrich_quality.transcripts import Transcript
from tests.benchmarks.enrich_quality.trees import Collector


class ServerLost(Exception):
    """The server does not answer; the cells that wait for it are left for another run."""


@dataclass(slots=True)
class Collecting:
    """One run. ``profiles`` None are all that answer, by a schema; ``count`` None are all cells.

    Profiles that rewrite every line take many requests, and are judged when they are named.
    """

    answers: AnswerFile
    recorder: Recorder
    collectors: Sequence[Collector]
    _: KW_ONLY
    profiles: Sequence[str] | None
    count: int | None
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, transcripts: Sequence[Transcript], *, at_once: int) -> None:
        """Have all cells answered that are not yet. Blocks. Raises ServerLost and CollectorFailed."""
        wanted = list(self._wanted(transcripts))
        print(f"{len(wanted)} answers to collect", file=sys.stderr, flush=True)
        with ThreadPoolExecutor(at_once) as threads:
            begun = [threads.submit(self._answer, collector, cell) for collector, cell in wanted]
            try:
                for number, each in enumerate(begun, start=1):
                    each.result()
                    if number % 20 == 0:
                        print(f"{number} of {len(wanted)}", file=sys.stderr, flush=True)
            except BaseException:
                self._stopped.set()
                for collector in self.collectors:
                    collector.close()
                raise

    def _wanted(self, transcripts: Sequence[Transcript]) -> Iterator[tuple[Collector, Cell]]:
        known = {name for each in self.collectors for name, schema in each.schemas.items() if schema}
        profiles = self.profiles or sorted(known)
        for number, cell in enumerate(itertools.islice(cells(transcripts, profiles), self.count)):
            # Each begins as often as the other, so that what else the machine does hits both.
            for collector in self.collectors[:: 1 if number % 2 else -1]:
                if cell.profile in collector.schemas and not self.answers.has(collector.tree.label, cell.key):
                    yield collector, cell

    def _answer(self, collector: Collector, cell: Cell) -> None:
        if self._stopped.is_set():
            return
        transcript, label = cell.transcript, collector.tree.label
        job_id = f"{label}-{transcript.name}-{cell.profile}"
        found = collector.enrich(
            {
                "job_id": job_id,
                "tenant": label,  # the trees must not find each other's prompts in the server's cache
                "lines": transcript.lines,
                "language": transcript.language,
                "profile": cell.profile,
            }
        )
        exchanges = self.recorder.take(job_id)
        error = found.get("error")
        if error and error["type"] == "DependencyDown":
            raise ServerLost(error["message"])
        self.answers.add(
            Answer(
                tree=label,
                transcript=transcript.name,
                profile=cell.profile,
                schema=collector.schemas[cell.profile],
                seconds=found["seconds"],
                exchanges=exchanges,
                model=found.get("model"),
                result=found.get("result"),
                error=error,
            )
        )
