"""What the transcriber's stage needs from others: the engine, and where results are kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from consumers.failures import FailureStore
from schemas.options import ExportFormat, Lane, TranscribeOptions
from schemas.results import StoredJob
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript


class EngineProgress(Protocol):
    """Progress as the engine reports it; ``text`` is the text since the last report."""

    @property
    def fraction(self) -> float | None:
        """Of the audio that is done, 0 to 1; None while its length is not known."""
        ...

    @property
    def text(self) -> str:
        """Without surrounding spaces."""
        ...


class SpeechToText(Protocol):
    """The engine, as the stage needs it. Called from many threads at once."""

    @property
    def provenance(self) -> Provenance:
        """The model's name and digest are what counts here; the digest is part of a result's identity."""
        ...

    def check(self, options: TranscribeOptions) -> None:
        """Raises InvalidOptions when the options ask for what the model cannot do."""
        ...

    def healthy(self) -> bool:
        """Whether it answers. Does not block."""
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
        """The transcript of a local file. Blocks.

        ``on_audio`` is told what the container claims (duration 0 when it does not say) and again what was found.
        Raises InvalidOptions, AudioTooLong, AudioEmpty, AudioUndecodable, DecoderCrashed, EngineFailed,
        DependencyDown("engine") when it is not healthy, and JobCancelled once ``cancelled`` turns true.
        """
        ...


class Results(FailureStore, Protocol):
    """Where results are kept. Methods block, are safe to repeat, and raise DependencyDown."""

    def find_job(self, job_id: str) -> StoredJob | None:
        """The finished job, if anybody finished it."""
        ...

    def create_job(self, job: StoredJob) -> StoredJob:
        """Store it unless the job has a result already; return the stored one."""
        ...

    def find_transcript(self, content_key: str) -> Transcript | None:
        """The result of the same audio, options and model, if there is one."""
        ...

    def put_transcript(self, content_key: str, transcript: Transcript) -> str:
        """Stores a body; its URI."""
        ...

    def transcript_uri(self, content_key: str) -> str:
        """Where a stored body is."""
        ...

    def put_export(self, content_key: str, export_format: ExportFormat, body: bytes, content_type: str) -> str:
        """Stores an export; its URI."""
        ...
