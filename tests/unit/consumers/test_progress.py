"""Progress events of one attempt: their rate, their text, and the id of the last one."""

from dataclasses import dataclass, replace

import pytest

from consumers.progress import INTERVAL_SECONDS, JobProgress, ProgressEvents, RateLimit
from consumers.transcriber.interim_text import TEXT_LIMIT_CHARACTERS, InterimText
from schemas.errors import AudioNotFound
from schemas.events import Phase
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.roles import Role
from tests.contract.transcriber.stage_jobs import Runtime
from tests.support.clock import HandClock

CORRELATION = {"job_id": "j", "reference_event_id": "e"}
RECORD = Record(Topics().references, 0, 0, None, b"{}")


@dataclass
class Text:
    """What the engine reports."""

    text: str
    fraction: float | None = 0.5


@pytest.fixture
def clock() -> HandClock:
    """Return a clock that stands still."""
    return HandClock()


@pytest.fixture
def runtime() -> Runtime:
    """Return what was reported."""
    return Runtime()


@pytest.fixture
def progress(runtime: Runtime, clock: HandClock) -> JobProgress:
    """Return the progress of one attempt of the transcriber."""
    events = ProgressEvents(Role.TRANSCRIBER, CORRELATION, clock)
    return JobProgress(runtime.job(RECORD), events, topic=Topics().progress)


def test_the_first_permission_is_given_at_once_and_the_next_after_the_interval(clock: HandClock) -> None:
    """However often it is requested in between."""
    limit = RateLimit(clock)
    given = [limit.try_acquire(), limit.try_acquire()]
    clock.seconds += INTERVAL_SECONDS
    assert [*given, limit.try_acquire(), limit.try_acquire()] == [True, False, True, False]


def test_text_between_two_reports_goes_out_with_the_second(
    progress: JobProgress, runtime: Runtime, clock: HandClock
) -> None:
    """No text is lost, and no more than two reports a second are published."""
    text = InterimText(progress, clock=clock)
    for word in ("one", "two", "three"):
        text.on_progress(Text(word))
    clock.seconds += INTERVAL_SECONDS
    text.on_progress(Text("four"))
    text.on_progress(Text("five"))
    text.flush()
    text.flush()
    assert [event.text for event in runtime.progress] == ["one", "two three four", "five"]
    assert {(event.phase, event.stage) for event in runtime.progress} == {(Phase.TRANSCRIBING, "transcriber")}


def test_each_text_has_its_place_in_the_transcript(
    progress: JobProgress, runtime: Runtime, clock: HandClock
) -> None:
    """The offset counts the space that joins two texts, and text that was too long for a report."""
    text = InterimText(progress, clock=clock)
    for word in ("one", "둘 ", "x" * (TEXT_LIMIT_CHARACTERS + 1), "三", "四"):
        text.on_progress(Text(word))
        clock.seconds += INTERVAL_SECONDS
    offsets = [event.text_offset for event in runtime.progress]
    assert offsets == [0, 4, 6, 6 + TEXT_LIMIT_CHARACTERS + 2, 6 + TEXT_LIMIT_CHARACTERS + 3]


def test_texts_that_the_transcript_orders_otherwise_have_no_place(
    progress: JobProgress, runtime: Runtime, clock: HandClock
) -> None:
    """Those of split channels: a subscriber cannot know where they will be."""
    InterimText(progress, clock=clock, is_in_order=False).on_progress(Text("one"))
    assert [(event.text, event.text_offset) for event in runtime.progress] == [("one", None)]


def test_one_report_has_a_limited_text(progress: JobProgress, runtime: Runtime, clock: HandClock) -> None:
    """The rest is in the transcript."""
    InterimText(progress, clock=clock).on_progress(Text("x" * (TEXT_LIMIT_CHARACTERS + 1)))
    assert [len(event.text or "") for event in runtime.progress] == [TEXT_LIMIT_CHARACTERS]


def test_the_end_of_a_reference_has_one_id_for_each_role_and_phase(clock: HandClock) -> None:
    """Subscribers recognize an end that is published again, later, by another process."""
    events = ProgressEvents(Role.TRANSCRIBER, CORRELATION, clock)
    first = events.end(Phase.COMPLETED)
    clock.seconds += 1
    assert events.end(Phase.COMPLETED).event_id == first.event_id
    others = (events.end(Phase.FAILED), replace(events, role=Role.ENRICHER).end(Phase.COMPLETED))
    assert first.event_id not in {other.event_id for other in others}


def test_a_failed_attempt_is_reported_unless_it_was_the_last(runtime: Runtime, clock: HandClock) -> None:
    """FAILED goes out with the dead letter of the last one."""
    events = ProgressEvents(Role.TRANSCRIBER, CORRELATION, clock)
    job = runtime.job(RECORD, attempt=2)
    for attempt in (job, replace(job, is_final=lambda _: True)):
        JobProgress(attempt, events, topic=Topics().progress).report_retry(AudioNotFound("not there"))
    (event,) = runtime.progress
    assert (event.phase, event.failure and event.failure.attempt) == (Phase.RETRYING, 2)
