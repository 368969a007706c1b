"""How many rows share a call: what fits in the device's memory, and what is there when a replica is idle."""

import pytest

from models.whisper.inference.batch_limit import GROW_AFTER_BATCHES, BatchLimit
from models.whisper.inference.engine import Engine
from schemas.errors import ConfigurationError
from tests.support.waiting import eventually
from tests.unit.models.whisper.inference.echo_model import Echo, row
from tests.unit.models.whisper.inference.engine_bench import REAL_CLOCK, Bench


def test_a_batch_that_was_halved_is_whole_again_after_some_full_ones(benches: list[Bench]) -> None:
    """Memory that another program held for a moment does not cost throughput for an hour."""
    bench = Bench(Echo(memory_rows=2), batch_rows=4)
    benches.append(bench)
    bench.run([row(number) for number in range(1, 5)])
    bench.model.memory_rows = 4
    bench.run([row(number % 7 + 1) for number in range(5 * GROW_AFTER_BATCHES)])
    bench.run([row(number) for number in range(1, 5)])
    assert sorted(bench.model.batches[-1]) == [1, 2, 3, 4]


def test_a_larger_batch_that_was_prepared_before_does_not_raise_the_limit() -> None:
    """It says nothing about what fits."""
    limit = BatchLimit(32)
    for rows in (32, 16, 8, 32):
        limit.on_out_of_memory(rows)
    assert limit.rows == 4


def test_the_warm_up_finds_the_batch_that_fits(benches: list[Bench]) -> None:
    """Nothing runs out of memory later."""
    bench = Bench(Echo(memory_rows=3), batch_rows=8)
    benches.append(bench)
    bench.engine.warm_up()
    assert bench.model.rehearsed == [8, 4, 2]
    bench.run([row(number) for number in range(1, 9)])
    assert max(len(batch) for batch in bench.model.batches) == 2


def test_a_device_without_memory_for_one_row_ends_the_warm_up(benches: list[Bench]) -> None:
    """With an error that says what to set."""
    bench = Bench(Echo(memory_rows=0), batch_rows=4)
    benches.append(bench)
    with pytest.raises(ConfigurationError, match="KASCRIBE_WHISPER_REPLICAS"):
        bench.engine.warm_up()


class Calls:
    """Keeps what an engine reports."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.seconds: list[float] = []

    def on_batch(self, *, replica: int, rows: int, queued_seconds: float, seconds: float) -> None:
        """Keep it."""
        assert replica == 0
        self.rows.append(rows)
        self.seconds += [queued_seconds, seconds]


def test_a_batch_is_prepared_while_another_is_heard_but_only_a_full_one() -> None:
    """A batch that is not full would wait for its replica all the same, and rows that come meanwhile miss it."""
    model, calls = Echo(), Calls()
    engine = Engine(
        model,
        replicas=1,
        batch_rows=2,
        hang_timeout_seconds=60,
        clock=REAL_CLOCK,
        prepared_ahead=1,
        observer=calls,
    )
    model.gate.clear()
    rows = [row(number, job=number) for number in range(1, 5)]
    engine.submit(rows[0])
    assert model.entered.wait(30)
    engine.submit(rows[1])
    assert engine.queued_rows() == 1
    engine.submit(rows[2])
    eventually(lambda: engine.queued_rows() == 0, timeout_seconds=30)
    engine.submit(rows[3])
    assert engine.queued_rows() == 1
    model.gate.set()
    assert [each.future.result(30).decoded.text for each in rows] == ["1", "2", "3", "4"]
    engine.close()
    assert calls.rows == [1, 2, 1]
    assert min(calls.seconds) >= 0
