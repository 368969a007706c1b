"""The interfaces that the transcriber needs from other packages: the engine, and a store of results."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from consumers.ports import FailureStore
from schemas.options import ExportFormat, Lane, TranscribeOptions
from schemas.results import StoredJob
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript


class EngineProgress(Protocol):
    """Progress as the engine reports it; ``text`` is the text since the last report."""

    @property
    def fraction(self) -> float | None:
        """The share of the audio that is done, 0 to 1; None while its length is not known."""
        ...

    @property
    def text(self) -> str:
        """The new text, without surrounding spaces."""
        ...


class SpeechToText(Protocol):
    """The speech engine. Called from many threads at once."""

    @property
    def provenance(self) -> Provenance:
        """The model's name and digest, among others. The digest is part of a result's identity."""
        ...

    def check(self, options: TranscribeOptions) -> None:
        """Raise InvalidOptions when the model cannot do what the options require."""
        ...

    def is_healthy(self) -> bool:
        """Return whether the engine works. Does not block."""
        ...

    def transcribe(
        self,
        path: Path,
        options: TranscribeOptions,
        *,
        on_progress: Callable[[EngineProgress], None],
        cancelled: Callable[[], bool],
        lane: Lane,
        on_audio: Callable[[AudioFacts], None],
    ) -> Transcript:
        """Return the transcript of a local file. Blocks.

        ``on_audio`` gets what the container declares (duration 0 when it does not), then what was decoded.
        Raises InvalidOptions, AudioTooLong, AudioEmpty, AudioUndecodable, DecoderCrashed, EngineFailed,
        DependencyDown("engine") when it is not healthy, and JobCancelled once ``cancelled`` turns true.
        """
        ...


class JobObserver(Protocol):
    """Observer hook of jobs, for metrics. Called from many threads; must not block or raise."""

    def on_fetched(self, *, queued_seconds: float | None, seconds: float) -> None:
        """Note that a job has its audio: the wait for its attempt, if known, and the time since that began."""
        ...

    def on_stored(self, *, seconds: float) -> None:
        """Note that a job is stored: the time for the transcript if it is new, its exports and the job."""
        ...


class UnobservedJobs:
    """Ignores what it is told."""

    def on_fetched(self, *, queued_seconds: float | None, seconds: float) -> None:
        """Do nothing."""

    def on_stored(self, *, seconds: float) -> None:
        """Do nothing."""


class Results(FailureStore, Protocol):
    """Store of results. Methods block, are safe to repeat, and raise DependencyDown."""

    def is_writable(self) -> bool:
        """Return whether results can be stored, as far as is known. Does not raise."""
        ...

    def find_job(self, job_id: str) -> StoredJob | None:
        """Return the finished job, if there is one."""
        ...

    def create_job(self, job: StoredJob) -> StoredJob:
        """Store a finished job unless one is stored already; return the stored one."""
        ...

    def add_user(self, content_key: str, job_id: str, request_digest: str) -> None:
        """Mark a job as a user of a transcript, before it stores the transcript or relies on a stored one."""
        ...

    def has_transcript(self, content_key: str) -> bool:
        """Return whether a transcript is stored, readable or not."""
        ...

    def find_transcript(self, content_key: str) -> Transcript | None:
        """Return the transcript of the same audio, options and model, if there is one."""
        ...

    def put_transcript(self, content_key: str, transcript: Transcript) -> str:
        """Store a transcript; return its URI."""
        ...

    def transcript_uri(self, content_key: str) -> str:
        """Return the URI of a transcript, stored or not."""
        ...

    def put_export(self, content_key: str, export_format: ExportFormat, body: bytes, content_type: str) -> str:
        """Store an export; return its URI."""
        ...
