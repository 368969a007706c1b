"""Measurements of one archive: how fast it is filled, and how long its pages take."""

import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from consumers.archive.changes import Change
from consumers.archive.database import ArchiveDatabase
from producers.archive.answers import JobPage, SearchPage
from producers.archive.filters import JobFilter, SearchFilter, milliseconds_of
from producers.archive.reads import ArchiveReads
from tests.benchmarks.archive.corpus import (
    BEGINNING,
    COMMON,
    INTERVAL,
    TENANTS,
    ArchivedJob,
    rare_word,
    vocabulary,
)

BATCH = 200
PAGE = 20
"""Jobs or recordings of one page, as gateways return by default."""

Page = Callable[[random.Random], JobPage | SearchPage]


@dataclass(frozen=True, slots=True)
class Times:
    """How long one kind of question took, in milliseconds."""

    name: str
    median: float
    p95: float
    found: int


def fill(database: ArchiveDatabase, jobs: Iterable[ArchivedJob]) -> float:
    """Write all jobs as the role does, in full batches; return the jobs a second."""
    count = 0
    started = time.perf_counter()
    for batch in _batches(jobs):
        changes: list[Change] = [change for job in batch for change in job.changes()]
        database.apply(changes)
        count += len(batch)
    return count / (time.perf_counter() - started)


def measure(reads: ArchiveReads, *, count: int, runs: int) -> Iterator[Times]:
    """Ask every kind of question ``runs`` times, each time another one of the kind."""
    for name, page in _questions(reads, count).items():
        source = random.Random(name)
        taken, found = [], 0
        page(source)
        for _ in range(runs):
            started = time.perf_counter()
            answer = page(source)
            taken.append((time.perf_counter() - started) * 1_000)
            found += len(answer.jobs if isinstance(answer, JobPage) else answer.results)
        taken.sort()
        p95 = taken[min(len(taken) - 1, round(0.95 * len(taken)))]
        yield Times(name, statistics.median(taken), p95, found)


def _questions(reads: ArchiveReads, count: int) -> dict[str, Page]:
    def jobs(**fields: object) -> Page:
        return lambda source: reads.jobs(_filter(source, **fields), limit=PAGE)

    def search(words: Callable[[random.Random], str], **fields: object) -> Page:
        return lambda source: reads.search(_search(source, words(source), **fields), limit=PAGE)

    middle = milliseconds_of(BEGINNING + INTERVAL * (count // 2))
    words = {language: vocabulary(language) for language in COMMON}
    return {
        "list": jobs(),
        "list, all tenants": jobs(tenant=None),
        "list, deep cursor": _deep(reads),
        "list, failed": jobs(phase="failed"),
        "list, language": jobs(language="zh"),
        "list, name": lambda source: reads.jobs(
            _filter(source, name=f"{source.randrange(count):06d}", tenant=None), limit=PAGE
        ),
        "list, a name of no job": jobs(name="nowhere"),
        "list, older than": jobs(to_ms=middle),
        "list, failed in the small tenant": jobs(tenant="lab", phase="failed"),
        "search, rare word": search(lambda source: source.choice(words["en"][-200:])),
        "search, common word": search(lambda _: COMMON["en"]),
        "search, common word in the small tenant": search(lambda _: COMMON["en"], tenant="lab"),
        "search, common word, all tenants": search(lambda _: COMMON["en"], tenant=None),
        "search, common word, older than": search(lambda _: COMMON["en"], to_ms=middle),
        "search, common Korean word": search(lambda _: COMMON["ko"]),
        "search, two-syllable Korean word": search(lambda source: source.choice(words["ko"][20:2_000])),
        "search, two-character Chinese word": search(lambda source: source.choice(words["zh"][20:2_000])),
        "search, one character": search(lambda source: source.choice(words["zh"])[0]),
        "search, phrase": search(lambda source: f'"{COMMON["en"]} {source.choice(words["en"][1:30])}"'),
        "search, phrase of two common words": search(lambda _: '"{} {}"'.format(*words["en"][:2])),
        "search, three words": search(lambda source: " ".join(source.choices(words["en"][:300], k=3))),
        "search, Korean, language": search(lambda _: rare_word("ko"), language="ko"),
        "search, nothing": search(lambda _: "xyzzy"),
    }


def _deep(reads: ArchiveReads) -> Page:
    """Return pages far behind the first, each the one after the last."""
    asked = JobFilter(tenant=TENANTS[0])
    cursor: str | None = None
    for _ in range(40):
        cursor = reads.jobs(asked, limit=500, cursor=cursor).next or cursor

    def page(_source: random.Random) -> JobPage:
        nonlocal cursor
        found = reads.jobs(asked, limit=PAGE, cursor=cursor)
        cursor = found.next or cursor
        return found

    return page


def _filter(source: random.Random, **fields: object) -> JobFilter:
    return JobFilter(**{"tenant": source.choice(TENANTS), **fields})  # type: ignore[arg-type]


def _search(source: random.Random, words: str, **fields: object) -> SearchFilter:
    return SearchFilter(**{"tenant": source.choice(TENANTS), "words": words, **fields})  # type: ignore[arg-type]


def _batches(jobs: Iterable[ArchivedJob]) -> Iterator[list[ArchivedJob]]:
    waiting = iter(jobs)
    while batch := list(islice(waiting, BATCH)):
        yield batch
