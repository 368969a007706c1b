"""A replica that is kept for interactive rows: they start while bulk rows occupy the others."""

from collections.abc import Iterator

import pytest

from models.whisper.inference.engine import Engine
from models.whisper.inference.replicas import Replicas
from models.whisper.inference.scheduler import Scheduler
from schemas.clock import SystemClock
from schemas.options import Lane
from tests.support.waiting import eventually
from tests.unit.models.whisper.inference.echo_model import Echo, row


@pytest.fixture
def model() -> Echo:
    """Return a model whose calls wait for its gate."""
    model = Echo()
    model.gate.clear()
    return model


@pytest.fixture
def engine(model: Echo) -> Iterator[Engine]:
    """Return an engine with one replica for all rows, and one for those of the interactive lane."""
    engine = Engine(model, replicas=1, kept_replicas=1, batch_rows=1, hang_timeout_seconds=60, clock=SystemClock())
    yield engine
    model.gate.set()
    engine.close()


def test_an_interactive_row_starts_beside_a_running_bulk_call(model: Echo, engine: Engine) -> None:
    """It does not wait for the call's end; a second bulk row does."""
    running, queued, clip = row(1), row(2), row(3, job="clip", lane=Lane.INTERACTIVE)
    engine.submit(running)
    assert model.entered.wait(30)
    engine.submit(queued)
    engine.submit(clip)
    eventually(lambda: engine.queued_rows() == 1, timeout_seconds=30)
    engine.cancel("job")
    assert queued.future.cancelled()
    model.gate.set()
    assert clip.future.result(30).decoded.text == "3"
    assert running.future.result(30).decoded.text == "1"


def test_a_kept_replica_leaves_rows_to_idle_ones() -> None:
    """It would share the cores with a bulk row that comes next."""
    replicas, scheduler = Replicas(1, 1), Scheduler()
    scheduler.add(row(1, job="clip", lane=Lane.INTERACTIVE))
    assert not replicas.take(replicas.kept, scheduler, 1)
    replicas.shared.serving = 1
    assert replicas.take(replicas.kept, scheduler, 1)
    scheduler.add(row(2))
    assert not replicas.take(replicas.kept, scheduler, 1)


def test_the_warm_up_runs_on_kept_replicas_too(model: Echo, engine: Engine) -> None:
    """Their calls need memory as the others' do."""
    engine.warm_up()
    assert model.rehearsed == [1, 1]
