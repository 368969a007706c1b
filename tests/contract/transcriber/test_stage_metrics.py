"""The metrics of a real run: jobs from the store, decoded by processes, heard by the self-test's model."""

from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.ports import Job
from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.transcribe import TranscribeStage
from kascribe.metering.engine import ENGINE_METRICS, MeteredEngine, StageMeter
from models.whisper.transcriber import Transcriber
from producers.results import ResultStore
from schemas.clock import SystemClock
from schemas.settings import S3Settings, WhisperSettings
from tests.contract.transcriber.stage_jobs import TOPICS, Runtime, reference_record, transcripts, uri
from tests.sound.media_cases import COMMANDS, DIGITS
from tests.support.listening import model_directory, speech
from tests.support.object_store import ObjectStore

WHISPER = WhisperSettings(device="cpu", decoder_processes=1)
CLIPS = (DIGITS, COMMANDS)
AUDIO_SECONDS = 9.0


def test_the_metrics_of_a_run_say_what_happened(moto_store: ObjectStore, settings: S3Settings) -> None:
    """Two jobs at once: each stage of each counts once, busy shares are shares, no time exceeds its whole."""
    registry, clock = CollectorRegistry(), SystemClock()
    metrics = Metrics(registry, ENGINE_METRICS)
    meter = StageMeter(metrics, decoder_processes=1, clock=clock)
    transcriber = Transcriber(WHISPER, model_directory(), "selftest", observer=meter, decoder_observer=meter)
    stage = TranscribeStage(
        ObjectFetcher(settings, client=moto_store.client),
        ResultStore(settings, client=moto_store.client),
        MeteredEngine(transcriber, metrics, clock=clock),
        topics=TOPICS,
        settings=settings,
        observer=meter,
    )

    def value(name: str, **labels: str) -> float:
        return registry.get_sample_value(f"kascribe_{name}", labels) or 0.0

    def job(offset: int, clip: str) -> Job:
        moto_store.put(settings, clip, speech(clip).read_bytes())
        return Runtime().job(reference_record(uri(settings, clip), event_id=clip, offset=offset))

    began = clock.monotonic()
    try:
        with ThreadPoolExecutor(2) as threads:
            outputs = list(threads.map(stage.process, (job(*each) for each in enumerate(CLIPS))))
        seconds = clock.monotonic() - began
        busy, decoding = value("engine_busy_ratio"), value("decoders_busy_ratio")
    finally:
        transcriber.close()
    assert all(transcripts(each)[0].text for each in outputs)
    assert 0 < busy <= 1
    assert 0 < decoding <= 1
    calls, windows = (
        sum(value(f"engine_batch_windows_{part}", replica=str(replica)) for replica in range(8))
        for part in ("count", "sum")
    )
    assert windows >= calls >= 1
    assert windows >= len(CLIPS)
    assert value("transcription_service_seconds_count", stage="model") == calls
    for name in ("fetch", "decode", "store"):
        assert value("transcription_service_seconds_count", stage=name) == len(CLIPS)
        assert 0 < value("transcription_service_seconds_sum", stage=name) < len(CLIPS) * seconds
    assert value("transcription_queue_seconds_count", stage="decode") == len(CLIPS)
    assert value("transcription_queue_seconds_count", stage="model") == calls
    assert value("transcribed_audio_seconds_total", lane="bulk") > AUDIO_SECONDS
    assert value("real_time_factor_count", lane="bulk") == len(CLIPS)
    assert 0 < value("real_time_factor_sum", lane="bulk") < len(CLIPS) * seconds
    assert value("engine_waiting_windows") == 0
