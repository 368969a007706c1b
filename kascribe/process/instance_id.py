"""Rejoining the group after a crash: the broker keeps the old process's ``group.instance.id`` for a while."""

from collections.abc import Callable
from typing import Final

import structlog

from consumers.runtime.runtime import Runtime
from kascribe.process.health import RoleHealth
from kascribe.process.shutdown import Shutdown
from schemas.clock import Clock
from schemas.errors import InstanceIdInUse

INSTANCE_ID_SECONDS: Final = 90.0
"""How long a new process waits for the broker to drop the old member with this id: 45 s by default."""

INSTANCE_ID_RETRY_SECONDS: Final = 2.0

_log: Final = structlog.get_logger(__name__)


def run_when_admitted(
    new_runtime: Callable[[], Runtime], health: RoleHealth, shutdown: Shutdown, *, clock: Clock
) -> None:
    """Run a runtime until a signal; start a new one while the broker still counts a predecessor as a member.

    Blocks. Raises InstanceIdInUse when that lasts for INSTANCE_ID_SECONDS, and whatever the runtime raises.
    """
    deadline = clock.monotonic() + INSTANCE_ID_SECONDS
    while True:
        runtime = new_runtime()
        shutdown.pass_to(runtime.stop)
        health.runtime = runtime
        try:
            runtime.run()
        except InstanceIdInUse as error:
            if clock.monotonic() >= deadline:
                raise
            health.runtime, health.why_not_ready = None, str(error)
            _log.warning("group.instance.id still in use; joining again", error=str(error))
        else:
            return
        if shutdown.wait(INSTANCE_ID_RETRY_SECONDS):
            return
