"""What operators learn of ended attempts: log lines, counts, times."""

import structlog
from structlog.testing import capture_logs

from consumers.runtime.execution.job_log import about, job_context
from consumers.runtime.execution.workers import run_attempt
from schemas.errors import AudioNotFound, AudioUndecodable, DependencyDown
from schemas.kafka.dead_letters import MESSAGE_CHARACTERS_LIMIT
from schemas.kafka.records import Record
from tests.flow.stages import UnknownReason
from tests.unit.runtime.settlement_bench import OUTPUT, settlement_bench


def test_every_end_is_counted_and_timed() -> None:
    """By how it ended: dashboards and alerts go by these."""
    with settlement_bench() as bench:
        done, again, over = bench.take(0, 1, 2)
        bench.end(done, OUTPUT, seconds=3.0)
        bench.end(again, AudioNotFound("not there yet"), seconds=5.0)
        bench.end(over, AudioUndecodable("not audio"), seconds=7.0)
        assert bench.sample("kascribe_stage_seconds_sum", outcome="done") == 3.0
        assert bench.sample("kascribe_stage_seconds_sum", outcome="failed") == 12.0
        assert bench.registry.get_sample_value("kascribe_retries_total", {"reason": "audio_not_found"}) == 1
        assert bench.registry.get_sample_value("kascribe_dead_letters_total", {"reason": "audio_undecodable"}) == 1


def test_an_operator_reads_why_intake_pauses_and_what_a_stage_did_wrong() -> None:
    """Once an outage begins and ends, and for every record that waits, is retried, or met a defect."""
    with settlement_bench() as bench, capture_logs() as logs:
        first, second, third, fourth = bench.take(0, 1, 2, 3)
        bench.end(first, DependencyDown("s3", "connection refused"))
        bench.end(second, DependencyDown("s3", "connection refused"))
        bench.settlement.on_recovery("s3", 1)
        bench.end(third, ZeroDivisionError("a mistake of the stage"))
        bench.end(fourth, AudioNotFound("not there yet"))
    assert [(line["log_level"], line["event"], line.get("error")) for line in logs] == [
        ("warning", "dependency is down, intake pauses", "connection refused"),
        ("info", "record parked", "connection refused"),
        ("info", "record parked", "connection refused"),
        ("info", "dependency is up again, intake resumes", None),
        ("error", "stage raised an untranslated error, counted as transient", None),
        ("warning", "retry", "a mistake of the stage"),
        ("warning", "retry", "not there yet"),
    ]


def test_an_operator_reads_why_a_record_was_given_up() -> None:
    """And what went wrong while it was: an announcement that failed, a letter that lacks its headers."""
    with settlement_bench() as bench, capture_logs() as logs:
        plain, mute, odd = bench.take(0, 1, 2)
        bench.end(plain, AudioUndecodable("not audio"))
        bench.stage.mute = True
        bench.end(mute, AudioUndecodable("not audio either"))
        bench.end(odd, UnknownReason("an error whose reason is none"))
        assert [output.topic for output in bench.left()] == ["in.dlq", "out", "in.dlq", "in.dlq"]
    levels = [(line["log_level"], line.get("error")) for line in logs]
    assert levels == [("warning", "not audio"), ("warning", "not audio either"), ("error", None), ("error", None)]


def test_an_error_is_cut_to_what_a_letter_holds() -> None:
    """A message may quote a megabyte of what a caller wrote: logs and events get its beginning."""
    with settlement_bench() as bench, capture_logs() as logs:
        (flight,) = bench.take(0)
        bench.end(flight, AudioUndecodable("a" * 1_000_000))
    assert [line["error"] for line in logs] == ["a" * MESSAGE_CHARACTERS_LIMIT]


def test_what_one_job_logs_is_not_logged_of_the_next() -> None:
    """Neither what its stage bound nor which record it was, whether it failed or not."""
    with settlement_bench() as bench:
        failing, following = bench.take(0, 1)
        failing.record = Record("in", 0, 0, b"key", b"bad", (), 0)
        for flight in (failing, following):
            run_attempt(flight, bench.stage)
            assert structlog.contextvars.get_contextvars() == {}
            assert job_context(None, "info", {"event": "idle"}) == {"event": "idle"}
        assert failing.bound == {"job_id": "job of bad"}
        assert following.bound == {}
        with about(failing):
            line = job_context(None, "info", {"event": "failed"})
        assert (line["job_id"], line["record"], line["attempt"]) == ("job of bad", "in[0]@0", 1)
        assert job_context(None, "info", {"event": "idle"}) == {"event": "idle"}
