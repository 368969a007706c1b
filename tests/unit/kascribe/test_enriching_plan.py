"""What a run over all transcripts covers, what it is called, and when it is resumed."""

from datetime import UTC, datetime, timedelta

import pytest

from kascribe.enriching.candidates import FAILURES_LIMIT, Tally
from kascribe.enriching.display import LISTED_FAILURES, counts, sentences
from kascribe.enriching.plan import Plan, RunState, Selection
from schemas.errors import ConfigurationError
from schemas.events import TranscriptEvent
from schemas.kafka.wire import decode
from schemas.moments import moment_of
from schemas.options import EnrichOptions
from tests.contract.enricher.enrich_jobs import transcript_record
from tests.support.kept import NOW

TITLE = EnrichOptions(profiles=("title",))
PLAN = Plan(TITLE)


def transcript(*, occurred_at: datetime = NOW, tenant: str = "default") -> TranscriptEvent:
    """Build a transcript event."""
    return decode(transcript_record("s3://audio/t.json", occurred_at=occurred_at, tenant=tenant), TranscriptEvent)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T09:00:00+09:00", datetime(2026, 11, 22, tzinfo=UTC)),
    ],
)
def test_moments_are_read_as_users_write_them(written: str, moment: datetime) -> None:
    """A duration counts back from now; a date is its beginning, in UTC."""
    assert moment_of(written, now=NOW) == moment


@pytest.mark.parametrize(
    "written", ["yesterday", "7", "7w", "2026-13-01", "2026-11-22T09:00:00", "999999999d", ""]
)
def test_other_moments_are_refused_with_what_to_write(written: str) -> None:
    """A time without a zone is ambiguous, and not guessed."""
    with pytest.raises(ValueError, match="write 90m, 12h or 7d, 2026-11-22, or 2026-11-22T09:00:00Z"):
        moment_of(written, now=NOW)


def test_a_selection_has_its_beginning_and_not_its_end() -> None:
    """So that the runs of two days meet without a gap and without a transcript in both."""
    selection = Selection(since=NOW, until=NOW + timedelta(hours=1), tenants=frozenset({"a"}))
    assert selection.includes(transcript(tenant="a"))
    assert not selection.includes(transcript(tenant="b"))
    assert not selection.includes(transcript(tenant="a", occurred_at=NOW - timedelta(seconds=1)))
    assert not selection.includes(transcript(tenant="a", occurred_at=NOW + timedelta(hours=1)))
    assert Selection().includes(transcript())


def test_a_run_is_known_by_its_options_and_its_selection() -> None:
    """The order of tenants is none; another option, or another selection, is another run."""
    assert Plan(TITLE, tenants=("a", "b")).run_name == Plan(TITLE, tenants=("b", "a", "a")).run_name
    others = (
        PLAN,
        Plan(EnrichOptions(profiles=("topics",))),
        Plan(TITLE, since="7d"),
        Plan(TITLE, until="7d"),
        Plan(TITLE, tenants=("a",)),
    )
    assert len({plan.run_name for plan in others}) == len(others)
    assert Plan(TITLE, name="night").run_name == "night"


def test_a_run_is_resumed_unless_it_is_finished_or_unknown() -> None:
    """With the moment at which it began, from which its durations count."""
    state = RunState(digest=PLAN.digest, started_at=NOW)
    assert PLAN.resumed(RunState.parse(state.model_dump_json())) == state
    assert PLAN.resumed(state.model_copy(update={"is_finished": True})) is None
    assert PLAN.resumed(RunState.parse("a text of another program")) is None
    with pytest.raises(ConfigurationError, match="unfinished run with other options"):
        PLAN.resumed(RunState(digest="another", started_at=NOW))


def test_many_failures_are_counted_and_some_listed() -> None:
    """A hundred are kept for programs, twenty are printed; control characters in a message are not."""
    tally = Tally(total=500, read=500)
    for number in range(FAILURES_LIMIT + 20):
        tally.fail(f"job{number}", "enrichment_failed", "a\nb\x1b[2J")
    lines = sentences(tally)
    assert len(tally.failures) == FAILURES_LIMIT
    assert lines[0] == "500 transcripts read: 0 enriched, 0 enriched already, 120 failed"
    assert lines[1] == "job job0: enrichment_failed: a\\nb\\u001b[2J"
    assert lines[-1].startswith(f"and {FAILURES_LIMIT + 20 - LISTED_FAILURES} more")
    assert len(counts(Tally(99_999, 99_999, enriched=99_999, enriched_already=99_999, failed=999))) <= 70
