"""Signals to the role: TERM, TERM twice, HUP, and STOP for longer than the session."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests.chaos.failures.failure import Expected, Failure, Line, Published, SetUp, Setup
from tests.chaos.failures.scene import Scene
from tests.chaos.failures.watch import NO_ANSWER, reasons_of
from tests.demo.role import RoleProcess
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

JOBS: Final = 30
"""So many that some are in flight and some wait when the signal comes."""
SESSION_MILLISECONDS: Final = 6_000
DRAINING: Final = "draining"
NOTICED_SECONDS: Final = 20.0
TAKEN_OVER_SECONDS: Final = 60.0


def _sent(*numbers: signal.Signals) -> SetUp:
    """Return a set-up that sends signals to the role, one after the other; nohup's SIGHUP is no longer ignored."""

    def begin(scene: Scene) -> None:
        first, *others = numbers
        os.kill(scene.role.pid, first)
        for number in others:
            # Two that are pending at once are one.
            eventually(partial(_has_noticed, scene), timeout_seconds=NOTICED_SECONDS, what="draining")
            os.kill(scene.role.pid, number)

    @contextmanager
    def set_up(_stack: PrivateStack, _directory: Path) -> Iterator[Setup]:
        yield Setup(begin, lambda _: None, launcher=("env", "--default-signal=HUP"))

    return set_up


def _has_noticed(scene: Scene) -> bool:
    """Return whether the role has noticed a signal, or has ended already."""
    url = f"http://127.0.0.1:{scene.role.health_port}/health/ready"
    return any(DRAINING in reason or reason == NO_ANSWER for reason in reasons_of(url))


@contextmanager
def _stopped_beyond_its_session(stack: PrivateStack, directory: Path) -> Iterator[Setup]:
    """Stop the role until another process of its group has done the jobs, then let it go on."""
    second: list[RoleProcess] = []

    def begin(scene: Scene) -> None:
        stack.shorten_session(f"{scene.pipeline.prefix}{scene.role.role}", SESSION_MILLISECONDS)
        os.kill(scene.role.pid, signal.SIGSTOP)
        other = RoleProcess(scene.role.role, scene.pipeline.environment, log=directory / "second.log")
        second.append(other.start())
        other.wait_until_ready()
        eventually(lambda: not scene.work().lost, timeout_seconds=TAKEN_OVER_SECONDS, what="the jobs elsewhere")

    def end(scene: Scene) -> None:
        os.kill(scene.role.pid, signal.SIGCONT)

    try:
        yield Setup(begin, end)
    finally:
        for each in second:
            each.stop()


ROWS: Final = (
    Failure(
        "term",
        "TERM",
        "SIGTERM to the role, right after the jobs were published; a supervisor starts it again",
        _sent(signal.SIGTERM),
        Expected(
            ready=None,
            sample=None,
            line=Line("^stopped$"),
            exit_codes=(0,),
            work="what has begun is finished and committed; the next process does the rest",
        ),
        published=Published.BEFORE,
        hold_seconds=0,
        jobs=JOBS,
    ),
    Failure(
        "term-twice",
        "TERM twice",
        "SIGTERM to the role, right after the jobs were published, and again while it drains; a supervisor starts "
        "it again",
        _sent(signal.SIGTERM, signal.SIGTERM),
        Expected(
            ready=None,
            sample=None,
            line=Line("drain time is over|^stopped$"),
            exit_codes=(0,),
            work="what has begun is given up and done again by the next process",
        ),
        published=Published.BEFORE,
        hold_seconds=0,
        jobs=JOBS,
    ),
    Failure(
        "hup",
        "HUP",
        "SIGHUP to the role, right after the jobs were published; a supervisor starts it again",
        _sent(signal.SIGHUP),
        Expected(
            ready=None,
            sample=None,
            line=Line("^stopped$"),
            exit_codes=(0,),
            work="as TERM",
        ),
        published=Published.BEFORE,
        hold_seconds=0,
        jobs=JOBS,
    ),
    Failure(
        "stop",
        "STOP",
        "SIGSTOP to the role right after the jobs were published, for longer than its session, while a second "
        "process works; then SIGCONT",
        _stopped_beyond_its_session,
        Expected(
            ready="no answer",
            sample=None,
            line=Line("^partitions lost$"),
            live="no answer",
            work="the second process does it; what the first one finishes late is dropped",
        ),
        published=Published.BEFORE,
        hold_seconds=0,
        jobs=JOBS,
    ),
)
