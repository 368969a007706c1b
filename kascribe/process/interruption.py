"""Ctrl-C for a command that stops in order: the first one is noted, the second one ends the process."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130
"""The exit code of a command that Ctrl-C stopped."""

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Set the event at the first signal while the context lasts; a second one ends the process at once.

    Only in the main thread. A signal that was ignored stays ignored.
    """
    stopped = threading.Event()
    arrived, written = socket.socketpair()
    written.setblocking(False)
    # A handler in Python runs only once the main thread's call into the Kafka client has returned; the interpreter
    # writes here at once.
    previous = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    taken = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {number: signal.signal(number, _ignore) for number in taken}
    thread = threading.Thread(target=_watch, args=(arrived, stopped), name="signals", daemon=True)
    thread.start()
    try:
        yield stopped
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(previous)
        written.close()
        thread.join()
        arrived.close()


def _watch(arrived: socket.socket, stopped: threading.Event) -> None:
    while number := arrived.recv(1):
        if number[0] not in SIGNALS:
            continue
        if stopped.is_set():
            os._exit(128 + number[0])
        stopped.set()


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass
