"""Checks run side by side, each on a thread of its own and within its own time limit."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from kascribe.operations.doctor.findings import Check, Diagnosis, Finding, failed, skipped
from schemas.clock import Clock
from schemas.errors import ConfigurationError, KascribeError

LONGEST_WAIT_SECONDS: Final = 3_600.0

CORRECT: Final = "correct what this row names; the server was not asked"
"""What to do about a ConfigurationError, whose own sentence names the setting."""

_UNENDED: Final = "no answer within {:g} s"


class _Run:
    """One check on its thread. The thread is a daemon: one that hangs does not keep the process."""

    def __init__(self, check: Check, ended: "SimpleQueue[_Run]", clock: Clock) -> None:
        self.check = check
        self.started_at = clock.monotonic()
        self._found: list[Finding] = []
        self._ended = ended
        self._clock = clock
        threading.Thread(target=self._run, name=f"check-{check.name}", daemon=True).start()

    @property
    def due_at(self) -> float:
        """The moment at which its time limit ends."""
        return self.started_at + self.check.limit_seconds

    def diagnosis(self, *, ended: bool) -> Diagnosis:
        """Return the rows so far; one that has not ended gets a row for that."""
        found = tuple(self._found)
        if not ended:
            limit = _UNENDED.format(self.check.limit_seconds)
            found = (*found, failed(self.check.name, limit, self.check.remedy))
        return Diagnosis(self.check, found, self._clock.monotonic() - self.started_at, ended)

    def _run(self) -> None:
        try:
            for finding in self.check.run():
                self._found.append(finding)
        except ModuleNotFoundError as error:
            self._found.append(
                failed(
                    self.check.name,
                    f"the package {error.name} is not installed",
                    "install Kascribe with the extra of the role, such as kascribe[transcriber]",
                )
            )
        except ConfigurationError as error:
            self._found.append(failed(self.check.name, str(error), CORRECT))
        except (KascribeError, OSError) as error:
            self._found.append(failed(self.check.name, str(error), self.check.remedy))
        except Exception as error:  # noqa: BLE001 - one check must not take the others with it
            found = f"the check itself failed: {type(error).__name__}: {error}"
            self._found.append(failed(self.check.name, found, "report this; the other rows are not affected"))
        finally:
            self._ended.put(self)


def examine(checks: Sequence[Check], *, clock: Clock) -> Iterator[Diagnosis]:
    """Run the checks side by side and yield each diagnosis as soon as it is known. Blocks.

    A check that overruns its limit is given up, with the rows that it has found; its thread stays behind.
    """
    ended: SimpleQueue[_Run] = SimpleQueue()
    waiting, running, done = list(checks), list[_Run](), dict[str, Diagnosis]()
    while waiting or running:
        # Before any is started: one that is skipped may be what another one waits for.
        while skipped_now := list(_skipped(waiting, done)):
            done.update((each.check.name, each) for each in skipped_now)
            waiting = [check for check in waiting if check.name not in done]
            yield from skipped_now
        ready = [check for check in waiting if all(name in done for name in check.after)]
        waiting = [check for check in waiting if check not in ready]
        running += [_Run(check, ended, clock) for check in ready]
        for diagnosis in _next(running, ended, clock):
            done[diagnosis.check.name] = diagnosis
            yield diagnosis


def _skipped(waiting: Iterable[Check], done: dict[str, Diagnosis]) -> Iterator[Diagnosis]:
    for check in waiting:
        bad = [name for name in check.after if name in done and (done[name].has_failed or done[name].blocked)]
        if bad:
            why = f"not checked, since {', '.join(bad)} failed"
            yield Diagnosis(check, (skipped(check.name, why),), 0.0, blocked=True)


def _next(running: list[_Run], ended: "SimpleQueue[_Run]", clock: Clock) -> Iterator[Diagnosis]:
    """Wait for the next check that ends, or whose time limit does, and remove it from ``running``."""
    if not running:
        return
    due_at = min(run.due_at for run in running)
    try:
        run = ended.get(timeout=max(0.0, min(due_at - clock.monotonic(), LONGEST_WAIT_SECONDS)))
    except Empty:
        late = [run for run in running if run.due_at <= clock.monotonic()]
        for run in late:
            running.remove(run)
            yield run.diagnosis(ended=False)
        return
    if run in running:
        running.remove(run)
        yield run.diagnosis(ended=True)
