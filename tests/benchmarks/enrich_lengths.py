"""Transcripts from 10 to 200,000 words on a server with a small context: valid, complete, cited, and how fast.
Fails when any is not.

Lengths are spread evenly over their logarithm, in an order of which every beginning is spread too, so that a run
that is cut short covers all of them. A run with ``--checkpoint`` goes on where it was cut.
Run: ``python -m tests.benchmarks.enrich_lengths --count 40``.
"""

import argparse
import json
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import jsonschema

from deploy.stack.cache import default_cache
from deploy.vllm.server import down, up
from models.vllm.answers.bounds import bound_schema
from models.vllm.enricher import Enricher
from schemas.errors import JobError
from schemas.events import EnrichmentResult, EnrichmentStatus
from schemas.settings import VllmSettings
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble, running

WORDS_LEAST, WORDS_MOST = 10, 200_000
PROFILE: Final = "key_points"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One transcript: ``problem`` is None when everything held."""

    words: int
    seconds: float
    requests: int = 0
    coverage: float = 0.0
    citations: int = 0
    problem: str | None = None


def lengths(count: int, most: int = WORDS_MOST) -> Iterator[int]:
    """Choose that many lengths in words, the extremes first, then ever finer between them."""
    yield from (most, WORDS_LEAST)[:count]
    for number in range(1, count - 1):
        fraction, step, left = 0.0, 0.5, number
        while left:  # the bits mirrored: van der Corput's sequence
            fraction, step, left = fraction + step * (left & 1), step / 2, left >> 1
        yield round(WORDS_LEAST * math.exp(fraction * math.log(most / WORDS_LEAST)))


def outcome_of(enricher: Enricher, number: int, words: int) -> Outcome:
    """Enrich one transcript and check everything that is promised."""
    segments = spoken(words, seed=number)
    started = time.perf_counter()
    try:
        made = enricher.enrich(request_for(enricher, segments, PROFILE, job_id=f"lengths-{number}"))
    except JobError as error:
        return Outcome(words, time.perf_counter() - started, problem=f"{error.reason.value}: {error}")
    seconds = time.perf_counter() - started
    result = made.results[0]
    return Outcome(
        words,
        seconds,
        made.usage.requests,
        result.coverage,
        len(result.citations),
        _problem(enricher, result, len(segments)),
    )


def _problem(enricher: Enricher, result: EnrichmentResult, segment_count: int) -> str | None:
    if result.status is not EnrichmentStatus.COMPLETED:
        return f"{result.status.value}: {result.failure}"
    try:
        jsonschema.validate(result.output, bound_schema(enricher.profiles[PROFILE].schema or {}))
    except jsonschema.ValidationError as invalid:
        return f"schema: {invalid.message}"
    if result.coverage < 1.0:
        return f"coverage {result.coverage}"
    missing = [number for number in result.citations if not 0 <= number < segment_count]
    return f"cited segments that do not exist: {missing}" if missing else None


class Checkpoint:
    """Outcomes by number, each a line of a file as soon as it is known; without a file, in memory only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else ()
        self.done: dict[int, Outcome] = {}
        for line in lines:
            kept = json.loads(line)
            number = kept.pop("number")
            self.done[number] = Outcome(**kept)

    def add(self, number: int, outcome: Outcome) -> None:
        """Record an outcome. Safe between threads."""
        with self._lock:
            self.done[number] = outcome
            if self._path:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"number": number, **asdict(outcome)}) + "\n")


def measure(
    url: str, wanted: Iterable[int], *, checkpoint: Checkpoint, side_by_side: int, limit_seconds: float
) -> dict[str, object]:
    """Run the transcripts that are not done yet until all are or the time is up; those begun are finished."""
    started = time.monotonic()
    with (
        Enricher(VllmSettings(base_url=url, timeout_seconds=300.0)) as enricher,
        ThreadPoolExecutor(side_by_side) as threads,
    ):

        def one(number: int, words: int) -> None:
            if time.monotonic() - started < limit_seconds:
                checkpoint.add(number, outcome_of(enricher, number, words))

        left = [(number, words) for number, words in enumerate(wanted) if number not in checkpoint.done]
        for begun in [threads.submit(one, *each) for each in left]:
            begun.result()
    return summary(list(checkpoint.done.values()), time.monotonic() - started, here=len(left))


def summary(done: list[Outcome], seconds: float, *, here: int) -> dict[str, object]:
    """Summarise all outcomes; ``seconds`` is what the last run took for ``here`` of them at most."""
    problems = Counter(outcome.problem for outcome in done if outcome.problem)
    words = sum(outcome.words for outcome in done)
    return {
        "transcripts": len(done),
        "words": words,
        "longest_words": max(outcome.words for outcome in done),
        "valid": sum(outcome.problem is None for outcome in done) / len(done),
        "context_errors": sum(times for problem, times in problems.items() if "context" in problem),
        "coverage_least": min(outcome.coverage for outcome in done),
        "citations": sum(outcome.citations for outcome in done),
        "requests": sum(outcome.requests for outcome in done),
        "last_run": {"transcripts_at_most": here, "seconds": round(seconds, 1)},
        "problems": dict(problems.most_common(10)),
    }


@contextmanager
def server(chosen: argparse.Namespace) -> Iterator[str]:
    """Yield a real server's address, or the double's."""
    if chosen.double:
        with running(VllmDouble(context_tokens=chosen.context_tokens)) as double:
            yield double.base_url
        return
    real = up(cache=default_cache(), state=chosen.state, context_tokens=chosen.context_tokens)
    try:
        yield real.base_url
    finally:
        if not chosen.keep:
            down(chosen.state)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON; return 1 when any transcript's enrichment is not valid."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.enrich_lengths", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="transcripts (default: 1000)")
    parser.add_argument("--most-words", type=int, default=WORDS_MOST, help="of a transcript (default: 200000)")
    parser.add_argument("--context-tokens", type=int, default=8_192, help="bytes, in this model (default: 8192)")
    parser.add_argument("--side-by-side", type=int, default=8, help="transcripts at once (default: 8)")
    parser.add_argument("--limit-seconds", type=float, default=math.inf, help="begin none after this time")
    parser.add_argument("--checkpoint", type=Path, help="a file to keep outcomes in, and to go on from")
    parser.add_argument("--double", action="store_true", help="on the double instead of a real server")
    parser.add_argument("--state", type=Path, default=default_cache() / "vllm" / "bench", help="of the server")
    parser.add_argument("--keep", action="store_true", help="leave the server running")
    chosen = parser.parse_args(arguments)
    with server(chosen) as url:
        found = measure(
            url,
            lengths(chosen.count, chosen.most_words),
            checkpoint=Checkpoint(chosen.checkpoint),
            side_by_side=chosen.side_by_side,
            limit_seconds=chosen.limit_seconds,
        )
    print(json.dumps({"context_tokens": chosen.context_tokens, "double": chosen.double, **found}, indent=2))
    return 0 if found["valid"] == 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
