"""The front of the engine: a local file in, a transcript out."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from models.media.pool import DecoderPool, MediaJob
from models.media.spool import FeatureSpool
from models.whisper.capabilities import Capabilities
from models.whisper.engine import Engine
from models.whisper.language import Spoken
from models.whisper.model import WhisperModel
from models.whisper.progress import Progress, ProgressReport
from models.whisper.provenance import installed_version, model_sha256
from models.whisper.rows import Decode, Row, Sound
from models.whisper.text.assembly import assemble
from models.whisper.transcription import Heard, Transcription
from schemas.errors import AudioNotFound, ConfigurationError
from schemas.identity import options_digest
from schemas.options import Channels, Lane, Task, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript

WARM_UP_SECONDS = 3_600.0
"""A GPU that the wheels have no code for compiles it at first use; that takes minutes, not this long."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    model: WhisperModel
    engine: Engine
    decoders: DecoderPool
    capabilities: Capabilities
    provenance: Provenance


def _nothing(_: object) -> None:
    pass


def _never() -> bool:
    return False


class Transcriber:
    """One model on one device, shared by all callers. Safe from several threads once loaded.

    ``model_name`` is what provenance says; options may ask for it, or for one of the ``aliases``.
    """

    def __init__(
        self,
        settings: WhisperSettings,
        model_directory: Path,
        model_name: str,
        *,
        aliases: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._directory = model_directory
        self._name = model_name
        self._aliases = frozenset(aliases)
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Loads the model and starts engine and decoders. Blocks for seconds; safe to repeat.

        Raises ConfigurationError when the model or the device cannot be used.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()

    def warm_up(self) -> None:
        """Loads, and runs the model once, so that the first record does not pay for it. Blocks.

        Raises ConfigurationError when no decoder can be started.
        """
        self.load()
        loaded = self._ready()
        loaded.decoders.wait_ready()
        prompt = loaded.model.vocabulary.prompt(
            language="en", task=Task.TRANSCRIBE, initial_prompt=None, hotwords=None
        )
        work = Decode(prompt, TranscribeOptions().beam_size)
        row: Row[object] = Row(job=self, lane=Lane.INTERACTIVE, sound=Sound(loaded.model.silence, 1.0), work=work)
        loaded.engine.submit(row)
        row.answer.result(WARM_UP_SECONDS)

    @property
    def provenance(self) -> Provenance:
        """What its transcripts say about their making; the options digest is empty. Loads if need be."""
        self.load()
        return self._ready().provenance

    def check(self, options: TranscribeOptions) -> None:
        """Raises InvalidOptions when the options ask for what the model cannot do. Loads if need be."""
        self.load()
        self._ready().capabilities.check(options)

    def healthy(self) -> bool:
        """Whether the engine answers; false once a call hangs or the device is lost: replace the process then."""
        loaded = self._loaded
        return loaded is None or loaded.engine.healthy()

    def waiting_windows(self) -> int:
        """Rows in the engine's line now, for metrics."""
        loaded = self._loaded
        return loaded.engine.waiting() if loaded else 0

    def transcribe(
        self,
        path: Path,
        options: TranscribeOptions,
        *,
        on_progress: Callable[[Progress], None] = _nothing,
        cancelled: Callable[[], bool] = _never,
        lane: Lane = Lane.BULK,
        on_audio: Callable[[AudioFacts], None] = _nothing,
    ) -> Transcript:
        """Blocks until the whole file is heard. Callbacks run in the caller's thread.

        ``on_audio`` is told as soon as the container is read what it claims (duration 0 when it does not
        say), and again when all is decoded. Raises JobError by its kind, and JobCancelled within a second.
        """
        self.load()
        loaded = self._ready()
        loaded.capabilities.check(options)
        if not path.is_file():
            raise AudioNotFound(f"{path} does not exist")
        started = time.monotonic()
        with closing(FeatureSpool(mel_bands=loaded.model.mel_bands)) as spool:
            work = Transcription(
                options,
                engine=loaded.engine,
                vocabulary=loaded.model.vocabulary,
                spool=spool,
                lane=lane,
                spoken=self._named(options, loaded),
            )
            ended = threading.Event()
            loaded.decoders.submit(
                MediaJob(
                    path=path,
                    spool=spool,
                    split=options.channels is Channels.SPLIT,
                    track=options.audio_track,
                    vad=options.vad,
                    mel_bands=loaded.model.mel_bands,
                    lane=lane,
                    deliver=work.deliver,
                    cancelled=lambda: ended.is_set() or cancelled(),
                )
            )
            try:
                self._follow(work, cancelled, ProgressReport(on_progress, on_audio))
            finally:
                ended.set()
        provenance = loaded.provenance.model_copy(update={"options_digest": options_digest(options)})
        return assemble(work.heard, options, provenance, started=started, ended=time.monotonic())

    def close(self) -> None:
        """Stops engine and decoders; what runs is cancelled. Blocks for a running call. Safe to repeat."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.decoders.close()
            if loaded.engine.close():
                loaded.model.close()

    def _follow(self, work: Transcription, cancelled: Callable[[], bool], report: ProgressReport) -> None:
        seen: Heard = work.heard
        for seen in work.steps(cancelled):
            report.look(seen)
        report.look(seen)

    def _named(self, options: TranscribeOptions, loaded: _Loaded) -> Spoken | None:
        if options.language is not None:
            return Spoken(options.language)
        return None if loaded.model.multilingual else Spoken("en")

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise ConfigurationError("the transcriber is closed")
        return self._loaded

    def _load(self) -> _Loaded:
        sha256 = model_sha256(self._directory)
        model = WhisperModel(self._settings, self._directory)
        engine = Engine(
            model,
            replicas=model.parallelism.replicas,
            batch_rows=model.parallelism.batch_rows,
            hang_timeout_seconds=self._settings.hang_timeout_seconds,
        )
        return _Loaded(
            model=model,
            engine=engine,
            decoders=DecoderPool(self._settings),
            capabilities=Capabilities.of(
                self._name,
                multilingual=model.multilingual,
                languages=model.vocabulary.languages,
                translates=self._settings.translates,
                aliases=self._aliases,
            ),
            provenance=Provenance(
                engine="ctranslate2",
                engine_version=installed_version("ctranslate2"),
                model=self._name,
                model_sha256=sha256,
                compute_type=model.compute_type,
                device=model.device,
                options_digest="",
                kascribe_version=installed_version("kascribe"),
            ),
        )
