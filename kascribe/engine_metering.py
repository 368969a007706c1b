"""What the engine does, counted: the same engine, with a meter in front."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from consumers.runtime.monitoring.metrics import Metric, Metrics
from consumers.transcriber.ports import EngineProgress
from models.whisper.transcriber import Transcriber
from schemas.options import Lane, TranscribeOptions
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript

AUDIO_SECONDS: Final = Metric(
    "kascribe_transcribed_audio_seconds_total", "counter", "seconds", ("lane",), "Audio that was transcribed."
)
INFERENCE_SECONDS: Final = Metric(
    "kascribe_inference_seconds_total", "counter", "seconds", ("lane",), "Time of the model that this took."
)
WAITING_WINDOWS: Final = Metric(
    "kascribe_engine_waiting_windows", "gauge", "windows", (), "Windows of at most 30 s in the engine's line."
)
ENGINE_METRICS: Final = (AUDIO_SECONDS, INFERENCE_SECONDS, WAITING_WINDOWS)


class MeteredEngine:
    """``consumers.transcriber.ports.SpeechToText`` over the transcriber, with counters of what it did."""

    def __init__(self, transcriber: Transcriber, metrics: Metrics) -> None:
        self._transcriber = transcriber
        self._audio_seconds = metrics.counter(AUDIO_SECONDS)
        self._inference_seconds = metrics.counter(INFERENCE_SECONDS)
        metrics.gauge(WAITING_WINDOWS).set_function(transcriber.queued_windows)

    @property
    def provenance(self) -> Provenance:
        """See ``SpeechToText``."""
        return self._transcriber.provenance

    def check(self, options: TranscribeOptions) -> None:
        """See ``SpeechToText``."""
        self._transcriber.check(options)

    def healthy(self) -> bool:
        """See ``SpeechToText``."""
        return self._transcriber.healthy()

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
        """See ``SpeechToText``. Counts what ends well."""
        transcript = self._transcriber.transcribe(
            path, options, on_progress=on_progress, cancelled=cancelled, lane=lane, on_audio=on_audio
        )
        self._audio_seconds.labels(lane.value).inc(transcript.usage.audio_seconds)
        self._inference_seconds.labels(lane.value).inc(transcript.usage.inference_seconds)
        return transcript
