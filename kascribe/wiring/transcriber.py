"""The wiring of the transcriber's role."""

from contextlib import closing
from typing import Final

import structlog

from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.transcribe import TranscribeStage
from kascribe.capacity import store_connections, transcriber_limits
from kascribe.metering.engine import ENGINE_METRICS, MeteredEngine, StageMeter
from kascribe.process.health import RoleHealth, served
from kascribe.process.shutdown import ended_by_signals
from kascribe.process.watchdog import ended_when_hanging
from kascribe.wiring.consumer import listening_for_cancellations, run_stage
from kascribe.wiring.engine import opened_transcriber
from models.media.pool import decoder_processes
from producers.results import ResultStore
from producers.s3 import create_client
from schemas.clock import SystemClock
from schemas.kafka.topics import Topics
from schemas.settings import Settings

_log: Final = structlog.get_logger(__name__)


def run_transcriber(settings: Settings) -> None:
    """Run the production role. Blocks until SIGTERM."""
    health = RoleHealth(why_not_ready=f"loading the model {settings.whisper.model}", declared=ENGINE_METRICS)
    clock = SystemClock()
    meter = StageMeter(health.metrics, decoder_processes=decoder_processes(settings.whisper), clock=clock)
    with (
        ended_by_signals(limit_seconds=settings.runtime.drain_timeout_seconds) as shutdown,
        served(health, settings.server),
        opened_transcriber(settings.whisper, meter=meter) as transcriber,
    ):
        transcriber.warm_up()
        health.is_well = transcriber.is_healthy
        _log.info(
            "model is warm", **transcriber.provenance.model_dump(include={"model", "device", "compute_type"})
        )
        limits = transcriber_limits(settings.runtime, device=transcriber.provenance.device)
        connections = store_connections(limits)
        with (
            ended_when_hanging(transcriber.is_healthy),
            closing(ObjectFetcher(settings.s3, connections=connections)) as fetcher,
            listening_for_cancellations(settings) as cancellations,
        ):
            stage = TranscribeStage(
                fetcher,
                ResultStore(settings.s3, client=create_client(settings.s3, connections=connections)),
                MeteredEngine(transcriber, health.metrics, clock=clock),
                topics=Topics(settings.kafka.topic_prefix),
                settings=settings.s3,
                subtitles=settings.subtitles,
                cancellations=cancellations,
                observer=meter,
            )
            run_stage(stage, settings.model_copy(update={"runtime": limits}), health, shutdown)
