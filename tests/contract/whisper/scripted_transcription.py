"""A transcription whose windows and model a test chooses."""

from collections.abc import Callable
from itertools import accumulate

from models.media.messages import ContainerOpened, DecodeFinished, WindowReady
from models.media.speech.windows import SAMPLE_RATE_HERTZ
from models.whisper.inference.engine import Engine
from models.whisper.languages.one import SpokenLanguage
from models.whisper.state import TranscriptionState
from models.whisper.text.vocabulary import Vocabulary
from models.whisper.transcription import Transcription
from schemas.clock import SystemClock
from schemas.options import Lane, TranscribeOptions
from tests.contract.whisper.scripted_model import Script, silence
from tests.support.listening import model_directory

SECOND = SAMPLE_RATE_HERTZ


class Desk:
    """One transcription and the engine that it runs on."""

    def __init__(
        self,
        model: Script,
        options: TranscribeOptions,
        *,
        hang_timeout_seconds: float = 60,
        language: SpokenLanguage | None = None,
    ) -> None:
        clock = SystemClock()
        self.model = model
        self.engine = Engine(
            model, replicas=1, batch_rows=4, hang_timeout_seconds=hang_timeout_seconds, clock=clock
        )
        self.transcription = Transcription(
            options,
            engine=self.engine,
            vocabulary=Vocabulary(model_directory(), multilingual=True),
            read_features=silence,
            lane=Lane.BULK,
            language=language,
            clock=clock,
        )

    def windows(self, *seconds: float) -> None:
        """Deliver windows of one span each, a minute apart, and the end."""
        self.windows_of_spans(*((length,) for length in seconds))

    def windows_of_spans(self, *windows: tuple[float, ...]) -> None:
        """Deliver windows a minute apart, and the end; spans of these seconds with a second between them."""
        deliver = self.transcription.on_decoder_event
        deliver(
            ContainerOpened(
                container="wav", codec="pcm", channel_count=1, sample_rate_hertz=8_000, declared_seconds=None
            )
        )
        for number, lengths in enumerate(windows):
            starts = accumulate(lengths, lambda at, length: at + length + 1, initial=60.0 * number)
            spans = tuple(
                (int(start * SECOND), int((start + length) * SECOND))
                for start, length in zip(starts, lengths, strict=False)
            )
            frames = int(sum(lengths) * 100)
            deliver(WindowReady(channel=None, spans=spans, frames=frames, offset_bytes=0))
        total = 60.0 * len(windows)
        costs = {"decode_seconds": 0.0, "vad_seconds": 0.0, "features_seconds": 0.0}
        deliver(DecodeFinished(audio_seconds=total, speech_seconds=total, **costs))

    def finish(self, cancelled: Callable[[], bool] = lambda: False) -> TranscriptionState:
        """Run it to its end."""
        for _ in self.transcription.steps(cancelled):
            pass
        return self.transcription.state
