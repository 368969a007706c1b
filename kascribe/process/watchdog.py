"""Ends a process whose engine hangs or has lost its device: neither passes, so only a new process helps."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

CHECK_SECONDS: Final = 5.0
EXIT_CODE: Final = 70
"""``EX_SOFTWARE`` of sysexits.h. Whoever supervises the process starts it anew; its records are redelivered."""

_log: Final = structlog.get_logger(__name__)


@contextmanager
def ended_when_hanging(
    is_well: Callable[[], bool], *, end: Callable[[int], object] = os._exit, check_seconds: float = CHECK_SECONDS
) -> Iterator[None]:
    """Watches for as long as the context lasts. No drain: a thread that hangs would not let it end."""
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(check_seconds):
            if not is_well():
                _log.error(
                    "the engine hangs or is broken; the process ends so that a new one takes over",
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
