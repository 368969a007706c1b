"""``kascribe enrich --all``: every transcript of the topic enriched with further options, without its audio."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from kascribe.console.terminal import notify, write
from kascribe.enriching.plan import Plan, RunState
from kascribe.process.interruption import stopped_by_signals
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError, KascribeError
from schemas.roles import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumers.kafka.partition_reader import PartitionReader
    from consumers.kafka.positions import Positions
    from kascribe.enriching.candidates import Candidates
    from kascribe.enriching.run import Bounds, Run
    from schemas.kafka.delivery import Partition
    from schemas.settings import Settings

NAME: Final = "enrich-all"
"""Of the command's clients for the broker; a run's positions are in the group ``enrich-all.RUN``."""

COMMIT_SECONDS: Final = 1.0
"""Between two commits of the positions. After a crash, what was settled since is only looked up again."""

SILENCE_SECONDS: Final = 60.0
"""Without an answer; then the user is told what to look at, and told again after as long."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A run at its beginning, or where it is resumed."""

    state: RunState
    is_resumed: bool
    candidates: "Candidates"
    positions: "Positions"


def enrich_all(plan: Plan, bounds: "Bounds", *, dry_run: bool, as_json: bool) -> None:
    """Enrich the transcripts of a plan, and print the summary. Blocks until all are enriched or have failed.

    Raises ConfigurationError, DependencyDown, NotDelivered, and typer.Exit with 1 when some failed, 130 when
    interrupted.
    """
    with ExitStack() as resources:
        stopped = resources.enter_context(stopped_by_signals())
        settings = _running_enricher()
        begun = resources.enter_context(_begun(plan, settings))
        if dry_run:
            _survey(plan, begun, stopped, as_json=as_json)
        else:
            _enrich(plan, bounds, begun, settings, stopped, as_json=as_json)


def _running_enricher() -> "Settings":
    from consumers.s3 import reach_store
    from kascribe.commands.settings import running_system, session_in_use

    loaded = running_system()
    session = session_in_use(loaded)
    if session and Role.ENRICHER not in session.roles:
        raise ConfigurationError(
            "no enricher runs: set KASCRIBE_VLLM_BASE_URL to a vLLM server where `kascribe up` is started"
        )
    reach_store(loaded.settings.s3)
    return loaded.settings


@contextmanager
def _begun(plan: Plan, settings: "Settings") -> "Iterator[_Begun]":
    from consumers.kafka.partition_reader import PartitionReader
    from consumers.kafka.positions import Positions
    from kascribe.enriching.candidates import Candidates
    from kascribe.enriching.source import TranscriptTopic
    from producers.results import EnrichmentResults
    from schemas.kafka.topics import Topics

    topic = Topics(settings.kafka.topic_prefix).transcripts
    with (
        closing(PartitionReader(settings.kafka, name=NAME)) as reader,
        Positions(settings.kafka, f"{NAME}.{plan.run_name}") as positions,
    ):
        stored = positions.read(_partitions(reader, topic))
        texts = (RunState.parse(position.text) for position in stored.values())
        state = plan.resumed(next((found for found in texts if found), None))
        is_resumed = state is not None
        state = state or RunState(digest=plan.digest, started_at=SystemClock().now())
        transcripts = TranscriptTopic(reader, topic, stored if is_resumed else {})
        selection = plan.selection(state.started_at)
        with Candidates(transcripts, EnrichmentResults(settings.s3), plan.options, selection) as candidates:
            yield _Begun(state, is_resumed, candidates, positions)


def _partitions(reader: "PartitionReader", topic: str) -> "list[Partition]":
    return [(topic, number) for number in reader.partitions_by_topic().get(topic, ())]


def _survey(plan: Plan, begun: _Begun, stopped: threading.Event, *, as_json: bool) -> None:
    """Count what the run would do."""
    candidates, missing = begun.candidates, 0
    while not candidates.is_read and not stopped.is_set():
        missing += len(candidates.batch())
    tally = candidates.tally
    if as_json:
        _write_document(plan, begun, is_finished=False, would_be_enriched=missing)
    else:
        write(
            f"{missing} would be enriched: {tally.read} transcripts read, {tally.enriched_already} enriched "
            f"already, {tally.left_out} left out, {tally.unreadable} unreadable"
        )
    if stopped.is_set():
        raise typer.Exit(128 + signal.SIGINT)


def _enrich(
    plan: Plan,
    bounds: "Bounds",
    begun: _Begun,
    settings: "Settings",
    stopped: threading.Event,
    *,
    as_json: bool,
) -> None:
    from consumers.kafka.follower import Follower, Start
    from kascribe.enriching.run import Run
    from producers.publisher import Publisher
    from producers.topics import ensure_topics
    from schemas.kafka.topics import Topics

    topics = Topics(settings.kafka.topic_prefix)
    needed = (topics.enrich_requests, topics.progress)
    ensure_topics(settings.kafka, dict.fromkeys(needed, settings.kafka.topic_partitions))
    notify(_announcement(plan, begun))
    with (
        closing(Publisher(settings.kafka)) as publisher,
        Follower(settings.kafka, (topics.progress,), start=Start.NOW) as answers,
    ):
        run = Run(begun.candidates, plan.options, publisher, answers, topics, bounds=bounds, clock=SystemClock())
        _drive(run, begun, stopped)
    _report(plan, begun, run, stopped, as_json=as_json)


def _drive(run: "Run", begun: _Begun, stopped: threading.Event) -> None:
    """Advance the run to its end or to a signal, and write its positions on the way and at the end."""
    from kascribe.enriching.display import RunDisplay

    clock = SystemClock()
    display = RunDisplay(run.tally, clock=clock)
    written_at = told_at = clock.monotonic()
    display.start()
    try:
        while run.advance() and not stopped.is_set():
            display.update()
            if clock.monotonic() - written_at >= COMMIT_SECONDS:
                _write_positions(begun, run.positions())
                written_at = clock.monotonic()
            if run.silence_seconds >= SILENCE_SECONDS and clock.monotonic() - told_at >= SILENCE_SECONDS:
                told_at = clock.monotonic()
                display.tell(
                    f"no answer for {run.silence_seconds:.0f} s: see whether an enricher of this release runs, "
                    "and in its log whether its language model server answers"
                )
    except KascribeError:
        display.stop()
        notify("the run is not finished: the same command continues it")
        raise
    finally:
        display.stop()
    _write_positions(begun, run.positions(), is_finished=run.is_finished)


def _write_positions(begun: _Begun, offsets: "Mapping[Partition, int]", *, is_finished: bool = False) -> None:
    from consumers.kafka.positions import Position

    text = begun.state.model_copy(update={"is_finished": is_finished}).model_dump_json()
    begun.positions.write({partition: Position(offset, text) for partition, offset in offsets.items()})


def _announcement(plan: Plan, begun: _Begun) -> str:
    total = begun.candidates.tally.total
    if begun.is_resumed:
        return f"run {plan.run_name}, begun {begun.state.started_at:%Y-%m-%d %H:%M} UTC: {total} transcripts left"
    return f"run {plan.run_name}: {total} transcripts"


def _report(plan: Plan, begun: _Begun, run: "Run", stopped: threading.Event, *, as_json: bool) -> None:
    from kascribe.enriching.display import sentences

    if as_json:
        _write_document(plan, begun, is_finished=run.is_finished)
    else:
        for sentence in sentences(run.tally):
            write(sentence)
    if not run.is_finished:
        notify("the run is not finished: the same command continues it")
    if stopped.is_set():
        raise typer.Exit(128 + signal.SIGINT)
    if run.tally.failed:
        raise typer.Exit(1)


def _write_document(plan: Plan, begun: _Begun, *, is_finished: bool, **more: int) -> None:
    from kascribe.enriching.display import as_document

    run = {"run": plan.run_name, "is_resumed": begun.is_resumed, "is_finished": is_finished}
    write(json.dumps({**run, **more, **as_document(begun.candidates.tally)}, ensure_ascii=False, indent=2))
