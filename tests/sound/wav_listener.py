"""A small true implementation of the engine's protocol: it recognises only how long a WAV file is."""

import io
import threading
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from consumers.transcriber.ports import EngineProgress
from schemas.errors import AudioEmpty, AudioUndecodable, InvalidOptions, JobCancelled
from schemas.identity import options_digest
from schemas.options import Lane, Task, TranscribeOptions
from schemas.transcripts.transcript import (
    AudioFacts,
    Provenance,
    Segment,
    StageTiming,
    Transcript,
    TranscriptStatus,
    Usage,
    Word,
)


@dataclass(frozen=True, slots=True)
class ListenerProgress:
    """Progress, as the engine reports it."""

    fraction: float | None
    text: str


class WavListener:
    """An engine whose transcript is "second <n>." for every second of a WAV file. It cannot translate.

    While ``gate`` is not set, every call blocks, so that tests can act during it; ``calls`` counts them.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.running = 0
        self.is_well = True
        self.failure: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    @property
    def provenance(self) -> Provenance:
        """A model with a name of its own, so that the result is not mistaken for speech recognition."""
        return Provenance(
            engine="wav-listener",
            engine_version="1",
            model="wav-listener",
            model_sha256="0" * 64,
            compute_type="none",
            device="cpu",
            options_digest="",
            kascribe_version="0",
        )

    def check(self, options: TranscribeOptions) -> None:
        """Reject another model, and translation."""
        if options.model not in (None, "wav-listener") or options.task is Task.TRANSLATE:
            raise InvalidOptions("wav-listener neither translates nor is another model")

    def is_healthy(self) -> bool:
        """Implement ``SpeechToText.is_healthy``."""
        return self.is_well

    def transcribe(
        self,
        path: Path,
        options: TranscribeOptions,
        *,
        on_progress: Callable[[EngineProgress], None],
        cancelled: Callable[[], bool],
        lane: Lane,  # noqa: ARG002 (it has one line only)
        on_audio: Callable[[AudioFacts], None],
    ) -> Transcript:
        """Implement ``SpeechToText.transcribe``."""
        self.check(options)
        if self.failure is not None:
            raise self.failure
        with self._lock:
            self.calls += 1
            self.running += 1
        try:
            while not self.gate.wait(0.01):
                if cancelled():
                    raise JobCancelled("the caller cancelled")
            facts = _facts(path)
            on_audio(facts)
            return self._transcript(facts, options, on_progress, cancelled)
        finally:
            with self._lock:
                self.running -= 1

    def before_second(self, number: int, cancelled: Callable[[], bool]) -> None:
        """Do nothing; another listener may wait before it hears a second, counted from 0."""

    def _transcript(
        self,
        facts: AudioFacts,
        options: TranscribeOptions,
        on_progress: Callable[[EngineProgress], None],
        cancelled: Callable[[], bool],
    ) -> Transcript:
        seconds = facts.audio_duration_seconds
        segments = []
        for number in range(int(seconds)):
            self.before_second(number, cancelled)
            segments.append(_segment(number, options))
            on_progress(ListenerProgress((number + 1) / seconds, f"second {number + 1}."))
        return Transcript(
            status=TranscriptStatus.COMPLETED if segments else TranscriptStatus.NO_SPEECH,
            language=options.language or ("en" if segments else None),
            text=" ".join(segment.text for segment in segments),
            segments=tuple(segments),
            options=options,
            audio=facts,
            provenance=self.provenance.model_copy(update={"options_digest": options_digest(options)}),
            timing=StageTiming(decode_seconds=0.0, inference_seconds=0.0),
            usage=Usage(audio_seconds=seconds, inference_seconds=0.0, windows=1, decoded_tokens=len(segments)),
        )


class PacedListener(WavListener):
    """Waits before each second but the first while ``flows`` is not set; then raises ``breaks_with`` once."""

    def __init__(self) -> None:
        super().__init__()
        self.flows = threading.Event()
        self.flows.set()
        self.breaks_with: Exception | None = None

    def before_second(self, number: int, cancelled: Callable[[], bool]) -> None:
        """Wait for the test, and fail where it says so."""
        while number and not self.flows.wait(0.01):
            if cancelled():
                raise JobCancelled("the caller cancelled")
        error, self.breaks_with = self.breaks_with, None if number else self.breaks_with
        if number and error is not None:
            raise error


def wav_bytes(seconds: float, *, sample_rate_hertz: int = 8_000) -> bytes:
    """Return silence of a length, as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sample_rate_hertz)
        sound.writeframes(bytes(2 * round(seconds * sample_rate_hertz)))
    return buffer.getvalue()


def _segment(number: int, options: TranscribeOptions) -> Segment:
    words = (
        Word(word=" second", start=number, end=number + 0.5, probability=0.9),
        Word(word=f" {number + 1}.", start=number + 0.5, end=number + 1, probability=0.9),
    )
    return Segment(
        id=number,
        start=number,
        end=number + 1,
        text=f"second {number + 1}.",
        words=words if options.word_timestamps else None,
    )


def _facts(path: Path) -> AudioFacts:
    try:
        with wave.open(str(path)) as sound:
            frames, rate, channels = sound.getnframes(), sound.getframerate(), sound.getnchannels()
    except (wave.Error, EOFError) as error:
        raise AudioUndecodable(f"not a WAV file: {error}") from error
    if frames == 0:
        raise AudioEmpty("no samples")
    return AudioFacts(
        audio_duration_seconds=frames / rate,
        speech_duration_seconds=frames / rate,
        channel_count=channels,
        sample_rate_hertz=rate,
        container="wav",
        codec="pcm_s16le",
    )
