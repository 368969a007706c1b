"""The watchdog: ends the process when the engine hangs or has lost its device; only a new one helps."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

CHECK_SECONDS: Final = 5.0
EXIT_CODE: Final = 70
"""``EX_SOFTWARE`` of sysexits.h. A supervisor starts the process again; its records are redelivered."""

_log: Final = structlog.get_logger(__name__)


@contextmanager
def ended_when_hanging(
    is_well: Callable[[], bool], *, end: Callable[[int], object] = os._exit, check_seconds: float = CHECK_SECONDS
) -> Iterator[None]:
    """Watch the engine while the context lasts. No drain: a hanging thread would not let it end."""
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(check_seconds):
            if not is_well():
                _log.error(
                    "engine hangs or is broken; ending the process so that a new one takes over",
                    exit_code=EXIT_CODE,
                )
                end(EXIT_CODE)
                return

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
