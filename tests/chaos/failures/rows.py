"""All rows of the table, in its order."""

from typing import Final

from tests.chaos.failures.failure import Failure
from tests.chaos.failures.provoked import access, machine, model, servers, signals

ROWS: Final[tuple[Failure, ...]] = (*servers.ROWS, *access.ROWS, *machine.ROWS, *model.ROWS, *signals.ROWS)
