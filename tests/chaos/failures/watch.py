"""What a role shows from one moment on: health, one sample of its metrics, its log, and its ends."""

import json
import re
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.failures.failure import Expected, Line, Sample
from tests.chaos.failures.scene import Scene

POLL_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 2.0
LINE_CHARACTERS: Final = 400
NO_ANSWER: Final = "no answer"


@dataclass(slots=True)
class Signs:
    """What was seen, each with the seconds from the beginning; None: never.

    ``reasons`` are those for which the process was not ready, in the order in which they came.
    ``false_recoveries`` counts how often it seemed to be ready again before the failure was mended.
    """

    not_ready_after: float | None = None
    not_live_after: float | None = None
    sample_after: float | None = None
    line_after: float | None = None
    ended_after: float | None = None
    ready_again_after: float | None = None
    false_recoveries: int = 0
    line: str = ""
    reasons: list[str] = field(default_factory=list)
    live_reasons: list[str] = field(default_factory=list)
    other_lines: list[str] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)


class Watch:
    """A thread that looks every POLL_SECONDS, and starts a process again that has ended. Used as a context."""

    def __init__(self, scene: Scene, expected: Expected) -> None:
        self.signs = Signs()
        self._scene = scene
        self._expected = expected
        self._log_bytes = scene.role.log.stat().st_size
        self._first_value = self._value() or 0.0
        self._began_at = time.monotonic()
        self._is_mended = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look_again_and_again, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        """Seconds from the beginning."""
        return time.monotonic() - self._began_at

    def note_mended(self) -> None:
        """Note that the failure is over from now on."""
        self._is_mended.set()

    def has_shown_all(self) -> bool:
        """Return whether everything that is expected has been seen."""
        signs, expected = self.signs, self._expected
        return all(
            (
                expected.ready is None or signs.not_ready_after is not None,
                expected.live is None or signs.not_live_after is not None,
                expected.sample is None or signs.sample_after is not None,
                expected.line is None or signs.line_after is not None,
                len(signs.exit_codes) >= len(expected.exit_codes),
            )
        )

    def _look_again_and_again(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        self._note_health()
        self._note_sample()
        self._note_lines()
        if (code := self._scene.role.exit_code) is not None:
            self.signs.exit_codes.append(code)
            self.signs.ended_after = self.seconds
            self._scene.role.start()

    def _note_health(self) -> None:
        signs = self.signs
        live, ready = self._reasons("live"), self._reasons("ready")
        _note_new(signs.live_reasons, live)
        _note_new(signs.reasons, ready)
        if signs.not_live_after is None and _is_among(self._expected.live, live):
            signs.not_live_after = self.seconds
        if signs.not_ready_after is None and _is_among(self._expected.ready, ready):
            signs.not_ready_after = self.seconds
        if not ready and signs.ready_again_after is None:
            was_noticed = signs.not_ready_after is not None
            signs.false_recoveries += was_noticed and not self._is_mended.is_set()
        signs.ready_again_after = None if ready else signs.ready_again_after or self.seconds

    def _reasons(self, kind: str) -> list[str]:
        return reasons_of(f"{self._url}/health/{kind}")

    def _note_sample(self) -> None:
        sample = self._expected.sample
        if sample is None or self.signs.sample_after is not None:
            return
        value = self._value()
        if value is not None and value - self._first_value >= sample.value:
            self.signs.sample_after = self.seconds

    def _value(self) -> float | None:
        sample = self._expected.sample
        if sample is None:
            return None
        return sample_of(self._url, sample)

    def _note_lines(self) -> None:
        with self._scene.role.log.open("rb") as log:
            log.seek(self._log_bytes)
            added = log.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._log_bytes += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._note_line(line)

    def _note_line(self, text: str) -> None:
        expected = self._expected.line
        if expected is not None and self.signs.line_after is None and is_line(text, expected):
            self.signs.line_after, self.signs.line = self.seconds, text[:LINE_CHARACTERS]
        elif '"level": "info"' not in text:
            self.signs.other_lines.append(text[:LINE_CHARACTERS])

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._scene.role.health_port}"


def reasons_of(url: str) -> list[str]:
    """Return why a check of health fails; none when it succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS):  # noqa: S310 - loopback
            return []
    except urllib.error.HTTPError as error:
        return list(json.load(error)["reasons"]) or ["not ok"]
    except OSError:
        return [NO_ANSWER]


def sample_of(url: str, sample: Sample) -> float | None:
    """Return a sample's value; the sum of a family without labels in its name; None when there is no answer."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            text = answer.read().decode()
    except OSError:
        return None
    name = re.escape(sample.name) + (r"(?:\{.*\})?" if "{" not in sample.name else "")
    values = [float(value) for value in re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)]
    return sum(values) if values else None


def is_line(text: str, expected: Line) -> bool:
    """Return whether a line of the log is the expected one."""
    try:
        line = json.loads(text)
    except ValueError:
        return False
    if not isinstance(line, dict) or re.search(expected.event, str(line.get("event"))) is None:
        return False
    return all(re.search(pattern, str(line.get(name, ""))) for name, pattern in expected.fields.items())


def _is_among(pattern: str | None, reasons: list[str]) -> bool:
    return pattern is not None and any(re.search(pattern, reason) for reason in reasons)


def _note_new(noted: list[str], reasons: list[str]) -> None:
    for reason in reasons:
        told = re.sub(r"\d+", "N", reason)
        if told not in noted:
            noted.append(told)
