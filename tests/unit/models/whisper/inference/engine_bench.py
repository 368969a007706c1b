"""An engine whose model waits until all rows are in line."""

from collections.abc import Sequence

from models.whisper.inference.engine import Engine
from models.whisper.rows import Row
from schemas.clock import Clock, SystemClock
from tests.unit.models.whisper.inference.echo_model import Echo, row

REAL_CLOCK = SystemClock()


class Bench:
    """An engine whose model waits until all rows are in line, so that batches are what the rules make them."""

    def __init__(
        self,
        model: Echo,
        *,
        batch_rows: int = 4,
        hang_timeout_seconds: float = 60.0,
        clock: Clock = REAL_CLOCK,
    ) -> None:
        self.model = model
        self.engine = Engine(
            model, replicas=1, batch_rows=batch_rows, hang_timeout_seconds=hang_timeout_seconds, clock=clock
        )

    def run(self, rows: Sequence[Row]) -> list[str]:
        """Run rows and return their texts, in the order of the rows."""
        self.hold()
        for each in rows:
            self.engine.submit(each)
        self.model.gate.set()
        return [each.future.result(30).decoded.text for each in rows]

    def hold(self) -> None:
        """Occupies the engine with a row of its own until the gate opens."""
        self.model.gate.clear()
        self.model.entered.clear()
        self.engine.submit(row(0.5, job="holder"))
        assert self.model.entered.wait(30)
