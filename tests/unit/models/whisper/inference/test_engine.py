"""The engine's promises about batches, failures and fairness, on a model that answers from a table."""

import threading
from collections.abc import Callable, Sequence

import pytest

from models.whisper.inference.engine import BROKEN_AFTER_JOBS, Engine
from models.whisper.inference.features import FeatureBatch
from models.whisper.inference.ports import DeviceLost
from models.whisper.rows import EncoderInput, Features, Hear, Heard, Row
from schemas.clock import SystemClock
from schemas.errors import DependencyDown, EngineFailed
from tests.support.clock import HandClock
from tests.support.waiting import eventually
from tests.unit.models.whisper.inference.echo_model import Echo, row
from tests.unit.models.whisper.inference.engine_bench import Bench


def test_rows_of_different_records_share_a_batch(benches: list[Bench]) -> None:
    """Four records of one window each cost one call."""
    bench = Bench(Echo())
    benches.append(bench)
    assert bench.run([row(number, job=number) for number in range(1, 5)]) == ["1", "2", "3", "4"]
    assert [sorted(batch) for batch in bench.model.batches] == [[0.5], [1, 2, 3, 4]]


def test_rows_with_different_options_never_share_a_batch(benches: list[Bench]) -> None:
    """A call takes one set of options."""
    bench = Bench(Echo())
    benches.append(bench)
    bench.run([row(1, job=1), row(2, job=2, beam_size=1), row(3, job=3), row(4, job=4, beam_size=1)])
    assert [sorted(batch) for batch in bench.model.batches[1:]] == [[1, 3], [2, 4]]


def test_running_out_of_memory_halves_the_batch_and_loses_nothing(benches: list[Bench]) -> None:
    """Eight rows on a device that holds two are all answered, two at a time."""
    bench = Bench(Echo(memory_rows=2), batch_rows=8)
    benches.append(bench)
    assert bench.run([row(number) for number in range(1, 9)]) == [str(number) for number in range(1, 9)]
    assert max(len(batch) for batch in bench.model.batches) == 2


def test_a_row_that_does_not_fit_alone_fails_alone(benches: list[Bench]) -> None:
    """Out of memory at batch size one is that row's failure."""
    bench = Bench(Echo(memory_rows=0))
    benches.append(bench)
    lonely = row(1)
    bench.engine.submit(lonely)
    assert isinstance(lonely.future.exception(30), EngineFailed)


def test_a_poisonous_row_fails_and_its_neighbours_are_answered(benches: list[Bench]) -> None:
    """An error in a batch is pinned to the row that causes it."""
    bench = Bench(Echo(poison=2))
    benches.append(bench)
    bench.hold()
    rows = [row(number, job=number) for number in range(1, 5)]
    for each in rows:
        bench.engine.submit(each)
    bench.model.gate.set()
    outcomes = [each.future.exception(30) for each in rows]
    assert [type(outcome) for outcome in outcomes] == [type(None), EngineFailed, type(None), type(None)]


def test_a_call_that_hangs_makes_the_engine_unhealthy(benches: list[Bench]) -> None:
    """The supervisor of the process can see that it must be replaced."""
    bench = Bench(Echo(), hang_timeout_seconds=0.05)
    benches.append(bench)
    assert bench.engine.is_healthy()
    bench.hold()
    eventually(lambda: not bench.engine.is_healthy(), timeout_seconds=30)
    bench.model.gate.set()
    eventually(bench.engine.is_healthy, timeout_seconds=30)


class Slow(Echo):
    """A model on its own clock, whose every call takes forty seconds. It checks whether the engine is healthy."""

    def __init__(self) -> None:
        super().__init__(poison=2)
        self.clock = HandClock()
        self.well: list[bool] = []
        self.is_well: Callable[[], bool] = lambda: True

    def hear(self, batch: FeatureBatch, operations: Sequence[Hear]) -> Sequence[Heard]:
        """As Echo does, later."""
        try:
            return super().hear(batch, operations)
        finally:
            self.clock.seconds += 40
            self.well.append(self.is_well())


def test_many_short_calls_are_no_hang(benches: list[Bench]) -> None:
    """A batch that is taken apart to find its poisonous row takes long; each call of it does not."""
    model = Slow()
    bench = Bench(model, clock=model.clock)
    model.is_well = bench.engine.is_healthy
    benches.append(bench)
    bench.hold()
    rows = [row(number, job=number) for number in range(1, 5)]
    for each in rows:
        bench.engine.submit(each)
    bench.model.gate.set()
    assert [each.future.exception(30) is None for each in rows] == [True, False, True, True]
    assert model.well == [True] * 6


def test_a_lost_device_makes_the_engine_unhealthy_at_once(benches: list[Bench]) -> None:
    """Rows in the call may have broken it, and are retried a bounded number of times; other rows only wait."""
    bench = Bench(Echo(), batch_rows=1)
    benches.append(bench)
    bench.hold()
    waiting = row(2, job="waiting")
    bench.engine.submit(waiting)
    bench.model.failure = DeviceLost("CUDA failed with error unspecified launch failure")
    bench.model.gate.set()
    eventually(lambda: not bench.engine.is_healthy(), timeout_seconds=30)
    assert isinstance(bench.engine.failure_for("holder"), EngineFailed)
    assert isinstance(bench.engine.failure_for("waiting"), DependencyDown)
    assert not waiting.future.done()


def no_features() -> Features:
    """Fail as a spool does whose file a hostile decoder has described."""
    raise OverflowError("Python int too large to convert to C long")


def fail_one_by_one(bench: Bench, rows: Sequence[Row]) -> None:
    """Each row fails before the next is submitted."""
    bench.model.failure = RuntimeError("no kernel image is available")
    for each in rows:
        bench.engine.submit(each)
        assert isinstance(each.future.exception(30), EngineFailed)
    bench.model.failure = None


def test_a_model_that_fails_job_after_job_is_broken(benches: list[Bench]) -> None:
    """Whatever the errors are: once no row succeeds any more, no further record pays for it."""
    bench = Bench(Echo())
    benches.append(bench)
    jobs = [f"job {number}" for number in range(BROKEN_AFTER_JOBS)]
    fail_one_by_one(bench, [row(1, job=job) for job in jobs[:-1]])
    assert bench.engine.is_healthy()
    fail_one_by_one(bench, [row(1, job=jobs[-1])])
    assert not bench.engine.is_healthy()
    assert isinstance(bench.engine.failure_for("another"), DependencyDown)


def test_failures_between_answers_are_the_rows_own(benches: list[Bench]) -> None:
    """However many there are, and so are all failures of one job, and those to read features."""
    bench = Bench(Echo())
    benches.append(bench)
    jobs = [f"job {number}" for number in range(2 * BROKEN_AFTER_JOBS)]
    for job in jobs:
        fail_one_by_one(bench, [row(1, job=job)])
        assert bench.run([row(2)]) == ["2"]
    fail_one_by_one(bench, [row(1, job="the same") for _ in jobs])
    for job in jobs:
        unreadable = row(1, job=job)
        unreadable.encoder_input = EncoderInput(no_features, 1.0)
        bench.engine.submit(unreadable)
        assert isinstance(unreadable.future.exception(30), EngineFailed)
    assert bench.engine.is_healthy()


def test_cancelled_rows_never_reach_the_model(benches: list[Bench]) -> None:
    """A cancelled job's windows leave the line; others stay."""
    bench = Bench(Echo())
    benches.append(bench)
    bench.hold()
    gone = row(1, job="gone")
    stays = row(2, job="stays")
    bench.engine.submit(gone)
    bench.engine.submit(stays)
    bench.engine.cancel("gone")
    bench.model.gate.set()
    assert stays.future.result(30).decoded.text == "2"
    assert gone.future.cancelled()
    assert [2] in bench.model.batches


def test_a_closed_engine_takes_no_rows() -> None:
    """Closing cancels what waits and refuses what comes."""
    bench = Bench(Echo())
    bench.hold()
    waiting = row(1)
    bench.engine.submit(waiting)
    closing = threading.Thread(target=bench.engine.close)
    closing.start()
    eventually(lambda: is_closed(bench.engine), timeout_seconds=30)
    bench.model.gate.set()
    closing.join(30)
    assert waiting.future.cancelled()
    with pytest.raises(EngineFailed, match="shut down"):
        bench.engine.submit(row(2))


def is_closed(engine: Engine) -> bool:
    """Return whether it takes no more rows."""
    try:
        engine.submit(row(9.0, job="too late"))
    except EngineFailed:
        return True
    return False


def test_a_batch_that_is_prepared_is_cancelled_when_the_engine_closes() -> None:
    """It would be a call more to wait for."""
    model = Echo()
    engine = Engine(
        model, replicas=1, batch_rows=1, hang_timeout_seconds=60, clock=SystemClock(), prepared_ahead=1
    )
    model.gate.clear()
    running, prepared = row(1), row(2)
    engine.submit(running)
    assert model.entered.wait(30)
    engine.submit(prepared)
    eventually(lambda: engine.queued_rows() == 0, timeout_seconds=30)
    closing = threading.Thread(target=engine.close)
    closing.start()
    eventually(lambda: is_closed(engine), timeout_seconds=30)
    model.gate.set()
    closing.join(30)
    assert running.future.result(30).decoded.text == "1"
    assert prepared.future.cancelled()
    assert model.batches == [[1]]


def test_a_prepared_batch_waits_for_the_new_process_when_the_device_is_lost() -> None:
    """It is not at fault."""
    model = Echo()
    engine = Engine(
        model, replicas=1, batch_rows=1, hang_timeout_seconds=60, clock=SystemClock(), prepared_ahead=1
    )
    model.gate.clear()
    running, prepared = row(1, job="running"), row(2, job="prepared")
    engine.submit(running)
    assert model.entered.wait(30)
    engine.submit(prepared)
    eventually(lambda: engine.queued_rows() == 0, timeout_seconds=30)
    model.failure = DeviceLost("CUDA failed with error unspecified launch failure")
    model.gate.set()
    assert isinstance(running.future.exception(30), EngineFailed)
    assert isinstance(engine.failure_for("prepared"), DependencyDown)
    engine.close()
    assert not prepared.future.done()


def test_every_row_is_answered_once_whatever_fails_beside_it() -> None:
    """On two replicas with a batch ahead, on a device that holds fewer rows than a batch, beside poison."""
    model = Echo(memory_rows=5, poison=13)
    engine = Engine(
        model, replicas=2, batch_rows=8, hang_timeout_seconds=60, clock=SystemClock(), prepared_ahead=1
    )
    rows = [row(number % 40 + 1, job=number % 7, beam_size=number % 3 + 1) for number in range(2_000)]
    for each in rows:
        engine.submit(each)
    for each in rows:
        name = each.encoder_input.duration_seconds
        if name == 13:
            assert isinstance(each.future.exception(60), EngineFailed)
        else:
            assert each.future.result(60).decoded.text == f"{name:g}"
    assert engine.close()
    heard = [name for batch in model.batches for name in batch]
    assert sorted(heard) == sorted(number % 40 + 1 for number in range(2_000) if number % 40 + 1 != 13)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_whose_thread_died_is_broken_and_its_rows_fail() -> None:
    """An error that is not a row's ends the worker: no thread would serve the queued rows."""
    model = Echo()
    model.failure = SystemExit("a thread that ends")
    engine = Engine(model, replicas=1, batch_rows=1, hang_timeout_seconds=60.0, clock=SystemClock())
    engine.submit(first := row(1.0, job="first"))
    assert isinstance(first.future.exception(30), EngineFailed)
    eventually(lambda: not engine.is_healthy(), timeout_seconds=30)
    assert isinstance(engine.failure_for("first"), EngineFailed)
    assert isinstance(engine.failure_for("another"), DependencyDown)
    engine.close()
