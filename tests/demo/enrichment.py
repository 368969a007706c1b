"""The second half of the demo: a drop that is enriched too, and the README's requests as they stand there."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from consumers.kafka.follower import Follower
from kascribe.console.following import event_in
from schemas.events import EnrichmentEvent, JobEvent, TranscriptEvent
from schemas.kafka.topics import Topics
from schemas.kafka.trace import TRACEPARENT, Trace
from tests.demo.speech import is_same_speech
from tests.support.waiting import eventually

README: Final = Path(__file__).parents[2] / "README.md"
GATEWAY_PORT: Final = 8001
"""The port in the README's requests."""

ANSWER_TIMEOUT_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """An event, and the trace that its record belongs to."""

    event: JobEvent
    trace_id: str


def results_of(follower: Follower, uri: str) -> tuple[TracedEvent, TracedEvent]:
    """Wait for the transcript and the enrichment of an object."""
    events: list[TracedEvent] = []

    def both() -> tuple[TracedEvent, TracedEvent] | None:
        for record in follower.records(0.1):
            trace = Trace.parse((record.header(TRACEPARENT) or b"").decode())
            event = event_in(record, Topics())
            if event is not None and trace is not None:
                events.append(TracedEvent(event, trace.trace_id))
        transcript = next(
            (s for s in events if isinstance(s.event, TranscriptEvent) and s.event.source.uri == uri), None
        )
        if transcript is None:
            return None
        enrichment = next(
            (
                s
                for s in events
                if isinstance(s.event, EnrichmentEvent) and s.event.job_id == transcript.event.job_id
            ),
            None,
        )
        return (transcript, enrichment) if enrichment else None

    return eventually(both, timeout_seconds=ANSWER_TIMEOUT_SECONDS, what=f"transcript and enrichment of {uri}")


def readme_requests() -> list[str]:
    """Read the README's requests to the gateway, word for word."""
    return re.findall(r"^\$ (curl .*localhost:8001\S*)$", README.read_text(encoding="utf-8"), re.MULTILINE)


def is_right(command: str, answer: Mapping[str, Any], spoken: str) -> bool:
    """Return whether a request of the README got what the README promises for it."""
    if command.endswith("/health"):
        return answer.get("status") == "ok"
    text_is_right = answer.get("success") is True and is_same_speech(str(answer.get("text")), spoken)
    if command.endswith("/transcribe-and-process"):
        processed = answer.get("processed_text")
        return text_is_right and isinstance(processed, str) and bool(processed.strip())
    return text_is_right


def run_request(command: str, directory: Path, recording: Path) -> dict[str, Any]:
    """Run a request in a directory in which ``audio.wav`` lies and return the answer."""
    shutil.copy(recording, directory / "audio.wav")
    done = subprocess.run(
        shlex.split(command),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=ANSWER_TIMEOUT_SECONDS,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
