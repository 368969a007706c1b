"""A system behind the page: an embedded broker, a bucket, the selftest model, and gateways."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consumers.transcriber.ports import EngineProgress
from kascribe.wiring.engine import opened_transcriber
from models.selftest import SELFTEST_MODEL_NAME
from models.whisper.transcriber import Transcriber
from schemas.errors import JobCancelled
from schemas.options import Lane, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript
from tests.flow.gateway import GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import running_object_store


class HeldTranscriber:
    """A real engine that keeps a finished transcript back while ``gate`` is not set; progress passes."""

    def __init__(self, engine: Transcriber) -> None:
        self._engine = engine
        self.gate = threading.Event()
        self.gate.set()

    @property
    def provenance(self) -> Provenance:
        """As the engine's."""
        return self._engine.provenance

    def check(self, options: TranscribeOptions) -> None:
        """As the engine does."""
        self._engine.check(options)

    def is_healthy(self) -> bool:
        """As the engine says."""
        return self._engine.is_healthy()

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
        """Transcribe, and return once the gate is set."""
        heard = self._engine.transcribe(
            path, options, on_progress=on_progress, cancelled=cancelled, lane=lane, on_audio=on_audio
        )
        while not self.gate.wait(0.05):
            if cancelled():
                raise JobCancelled
        return heard


@dataclass(frozen=True)
class PageBench:
    """A system with a transcriber; ``system.gateway()`` starts a gateway. ``engine`` can hold transcripts back."""

    system: GatewayBench
    engine: HeldTranscriber


@contextmanager
def page_bench(model: str = SELFTEST_MODEL_NAME) -> Iterator[PageBench]:
    """Open a system on an embedded broker, with a bucket and a model of this machine."""
    settings = WhisperSettings(model=model, device="cpu", decoder_processes=1)
    with (
        running_object_store() as store,
        MockCluster() as broker,
        opened_transcriber(settings) as transcriber,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as system,
    ):
        engine = HeldTranscriber(transcriber)
        system.start_transcriber(engine=engine)
        try:
            yield PageBench(system, engine)
        finally:
            engine.gate.set()
