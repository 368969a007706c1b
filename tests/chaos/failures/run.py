"""One row: set up, provoke, watch, mend, count, and compare with what is expected."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from tests.chaos.failures.failure import Expected, Failure, Published
from tests.chaos.failures.scene import Scene, Work
from tests.chaos.failures.watch import Signs, Watch
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

SIGNS_SECONDS: Final = 60.0
"""Longest wait for what a failure must show."""
MENDED_SECONDS: Final = 120.0
"""Longest wait for readiness once the failure is over."""

Begin = Callable[[Scene], object]


@dataclass(frozen=True, slots=True)
class Observed:
    """What a failure showed. ``lasted_seconds`` is until it was mended; the others count from then."""

    name: str
    signs: Signs
    work: Work
    lasted_seconds: float
    ready_again_seconds: float | None
    work_done_seconds: float | None
    load: float = 0.0
    """The machine's, over the last minute of the row: times grow with it."""

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote. Raises ValueError, KeyError or TypeError for anything else."""
        fields: dict[str, Any] = json.loads(text)
        work = {**fields.pop("work")}
        work["letter_reasons"] = tuple(work["letter_reasons"])
        return cls(**{**fields, "signs": Signs(**fields["signs"]), "work": Work(**work)})


def provoke(failure: Failure, stack: PrivateStack, directory: Path, *, seed: int) -> Observed:
    """Provoke a failure on the servers and mend it; return what was seen. Blocks for seconds to minutes."""
    with (
        failure.set_up(stack, directory) as setup,
        Scene(failure, setup, stack, directory, seed=seed) as scene,
    ):
        scene.submit(1)
        if not scene.wait_for_work():
            raise AssertionError(f"{failure.name}: a job did not end before the failure began: {scene.role.log}")
        names = scene.prepare(failure.jobs)
        with Watch(scene, failure.expected) as watch:
            try:
                _last(failure, setup.begin, scene, names, watch)
            finally:
                watch.note_mended()
                setup.end(scene)
            mended_at = watch.seconds
            is_done = scene.wait_for_work()
            done_at = watch.seconds
            _wait(lambda: watch.signs.ready_again_after is not None, MENDED_SECONDS)
            signs = watch.signs
            return Observed(
                name=failure.name,
                signs=signs,
                work=scene.work(),
                lasted_seconds=mended_at,
                ready_again_seconds=_since(mended_at, signs.ready_again_after),
                work_done_seconds=done_at - mended_at if is_done else None,
                load=os.getloadavg()[0],
            )


def problems(expected: Expected, seen: Observed) -> list[str]:
    """Return what differs from the expectation, a sentence each; none when the failure went as promised."""
    signs, work = seen.signs, seen.work
    letters = f"{work.letters} dead letters ({', '.join(work.letter_reasons)})"
    found = {
        f"never not ready because of {expected.ready!r}: {signs.reasons}": _missed(
            expected.ready, signs.not_ready_after
        ),
        f"never not live because of {expected.live!r}: {signs.live_reasons}": _missed(
            expected.live, signs.not_live_after
        ),
        f"not ready: {signs.reasons}": expected.ready is None and not expected.exit_codes and bool(signs.reasons),
        f"not live: {signs.live_reasons}": expected.live is None
        and not expected.exit_codes
        and bool(signs.live_reasons),
        f"{expected.sample} did not move": _missed(expected.sample, signs.sample_after),
        f"no line {expected.line} among the last of others, {signs.other_lines[-5:]}": _missed(
            expected.line, signs.line_after
        ),
        f"exit codes {signs.exit_codes}, not {list(expected.exit_codes)}": set(signs.exit_codes)
        != set(expected.exit_codes),
        f"{work.lost} of {work.submitted} jobs lost": work.lost > 0,
        f"{work.doubled} jobs doubled": work.doubled > 0,
        f"{work.retries} retries, {expected.retries} at most": work.retries > expected.retries,
        f"{letters}, not {expected.letters}": work.letters != expected.letters,
        f"{signs.false_recoveries} times ready before it was mended": signs.false_recoveries > 0,
        "not ready again": seen.ready_again_seconds is None,
    }
    return [sentence for sentence, is_so in found.items() if is_so]


def _last(failure: Failure, begin: Begin, scene: Scene, names: list[str], watch: Watch) -> None:
    """Let the failure begin and last until it has been seen, and for its time."""

    def publish(moment: Published) -> None:
        for name in names if failure.published is moment else ():
            scene.publish(name)

    publish(Published.BEFORE)
    begin(scene)
    publish(Published.AT_ONCE)
    _wait(watch.has_shown_all, SIGNS_SECONDS)
    publish(Published.ONCE_NOTICED)
    held_from = watch.seconds
    _wait(lambda: watch.seconds - held_from >= failure.hold_seconds, failure.hold_seconds)


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    """Wait; what has not come by then is missing in what was seen."""
    try:
        eventually(condition, timeout_seconds=seconds)
    except AssertionError:
        return


def _missed(expected: object, seen_after: float | None) -> bool:
    return expected is not None and seen_after is None


def _since(mended_at: float, seconds: float | None) -> float | None:
    return None if seconds is None else max(0.0, round(seconds - mended_at, 3))


def named(rows: tuple[Failure, ...], names: list[str]) -> list[Failure]:
    """Return the rows of these names, or all when there are none. Names may be regular expressions."""
    return [row for row in rows if not names or any(re.fullmatch(name, row.name) for name in names)]
