"""Entry point of speech to text: a local file in, a transcript out."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from models.media.pool import DecodeJob, DecoderPool
from models.media.ports import DecoderObserver
from models.media.spool import FeatureSpool
from models.whisper.assembly import assemble
from models.whisper.inference.engine import Engine
from models.whisper.inference.model import WhisperModel
from models.whisper.inference.observer import EngineObserver
from models.whisper.languages.one import SpokenLanguage
from models.whisper.options.capabilities import Capabilities
from models.whisper.progress import Progress, ProgressReporter
from models.whisper.provenance import installed_version, model_sha256
from models.whisper.transcription import Transcription
from schemas.clock import Clock, SystemClock
from schemas.errors import AudioNotFound, ConfigurationError
from schemas.identity import options_digest
from schemas.options import Channels, Lane, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript


@dataclass(frozen=True, slots=True)
class _Loaded:
    model: WhisperModel
    engine: Engine
    decoders: DecoderPool
    capabilities: Capabilities
    provenance: Provenance


def _ignore(_: object) -> None:
    pass


def _never() -> bool:
    return False


class Transcriber:
    """One model on one device, shared by all callers. Thread-safe once loaded.

    ``model_name`` is the name in the provenance; options may name it, or one of the ``aliases``. ``observer`` is
    told of each call of the model, ``decoder_observer`` of each file that is decoded.
    """

    def __init__(
        self,
        settings: WhisperSettings,
        model_directory: Path,
        model_name: str,
        *,
        aliases: Sequence[str] = (),
        clock: Clock | None = None,
        observer: EngineObserver | None = None,
        decoder_observer: DecoderObserver | None = None,
    ) -> None:
        self._settings = settings
        self._directory = model_directory
        self._name = model_name
        self._aliases = frozenset(aliases)
        self._clock = clock or SystemClock()
        self._observer = observer
        self._decoder_observer = decoder_observer
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Load the model and start engine and decoders. Blocks for seconds; safe to repeat.

        Raises ConfigurationError when the model or the device cannot be used.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()

    def warm_up(self) -> None:
        """Load, and run full batches, so that the first records do not pay for it and the batch fits. Blocks.

        Raises ConfigurationError when no decoder can be started, or the device has too little memory.
        """
        self.load()
        loaded = self._require_loaded()
        loaded.decoders.wait_ready()
        loaded.engine.warm_up()

    @property
    def provenance(self) -> Provenance:
        """The provenance of its transcripts, with an empty options digest. Loads the model if needed."""
        self.load()
        return self._require_loaded().provenance

    def check(self, options: TranscribeOptions) -> None:
        """Raise InvalidOptions when the model does not support the options. Loads the model if needed."""
        self.load()
        self._require_loaded().capabilities.check(options)

    def is_healthy(self) -> bool:
        """Return whether the engine works. Once a call hangs or the device is lost, replace the process."""
        loaded = self._loaded
        return loaded is None or loaded.engine.is_healthy()

    def queued_windows(self) -> int:
        """Return the number of windows that wait for the engine, for metrics."""
        loaded = self._loaded
        return loaded.engine.queued_rows() if loaded else 0

    def transcribe(
        self,
        path: Path,
        options: TranscribeOptions,
        *,
        on_progress: Callable[[Progress], None] = _ignore,
        cancelled: Callable[[], bool] = _never,
        lane: Lane = Lane.BULK,
        on_audio: Callable[[AudioFacts], None] = _ignore,
    ) -> Transcript:
        """Transcribe a whole file. Blocks; callbacks run in the caller's thread.

        Calls ``on_audio`` once the container is read, with what it declares (duration 0 when it declares none),
        and again when decoding has finished. Raises a JobError of its kind, or JobCancelled within a second
        after ``cancelled`` turns true.
        """
        self.load()
        loaded = self._require_loaded()
        loaded.capabilities.check(options)
        if not path.is_file():
            raise AudioNotFound(f"{path} does not exist")
        started_at = self._clock.monotonic()
        with closing(FeatureSpool(mel_bands=loaded.model.mel_bands)) as spool:
            transcription = Transcription(
                options,
                engine=loaded.engine,
                vocabulary=loaded.model.vocabulary,
                read_features=spool.read,
                lane=lane,
                language=_known_language(options, loaded.model),
                clock=self._clock,
            )
            ended = threading.Event()
            loaded.decoders.submit(
                DecodeJob(
                    path=path,
                    spool=spool,
                    split=options.channels is Channels.SPLIT,
                    track=options.audio_track,
                    vad=options.vad,
                    vad_parameters=options.vad_parameters,
                    mel_bands=loaded.model.mel_bands,
                    lane=lane,
                    on_event=transcription.on_decoder_event,
                    cancelled=lambda: ended.is_set() or cancelled(),
                )
            )
            try:
                _run(transcription, cancelled, ProgressReporter(on_progress, on_audio))
            finally:
                ended.set()
        provenance = loaded.provenance.model_copy(update={"options_digest": options_digest(options)})
        return assemble(
            transcription.state, options, provenance, started_at=started_at, ended_at=self._clock.monotonic()
        )

    def close(self) -> None:
        """Stop engine and decoders; cancel all jobs. Blocks for a running call. Safe to repeat."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.decoders.close()
            if loaded.engine.close():
                loaded.model.close()

    def _require_loaded(self) -> _Loaded:
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
            clock=self._clock,
            prepared_ahead=model.parallelism.prepared_ahead,
            kept_replicas=model.parallelism.kept_replicas,
            observer=self._observer,
        )
        return _Loaded(
            model=model,
            engine=engine,
            decoders=DecoderPool(self._settings, clock=self._clock, observer=self._decoder_observer),
            capabilities=Capabilities.of(
                self._name,
                multilingual=model.multilingual,
                languages=model.vocabulary.languages,
                translates=self._settings.translates,
                aliases=self._aliases,
                token_count=model.vocabulary.size,
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


def _known_language(options: TranscribeOptions, model: WhisperModel) -> SpokenLanguage | None:
    if options.languages is not None and len(options.languages) == 1:
        return SpokenLanguage(options.languages[0])
    if options.language is not None and not options.multilingual:
        return SpokenLanguage(options.language)
    return None if model.multilingual else SpokenLanguage("en")


def _run(transcription: Transcription, cancelled: Callable[[], bool], reporter: ProgressReporter) -> None:
    for state in transcription.steps(cancelled):
        reporter.update(state)
    reporter.update(transcription.state)
