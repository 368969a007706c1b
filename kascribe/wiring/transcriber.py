"""The wiring of the transcriber's role."""

from contextlib import closing
from typing import Final

import structlog

from consumers.runtime.monitoring.membership import KAFKA
from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.transcribe import TranscribeStage
from kascribe.capacity import store_connections, transcriber_limits
from kascribe.metering.engine import ENGINE_METRICS, MeteredEngine, StageMeter
from kascribe.metering.process import observe_process
from kascribe.process.health import RoleHealth, served
from kascribe.process.shutdown import ended_by_signals
from kascribe.process.watchdog import ended_when_hanging
from kascribe.wiring.consumer import listening_for_cancellations, run_stage
from kascribe.wiring.engine import opened_transcriber
from models.media.pool import decoder_processes
from producers.results import ResultStore
from producers.s3 import create_client
from schemas.clock import SystemClock
from schemas.errors import DESCRIPTORS, ENGINE, SCRATCH
from schemas.kafka.topics import Topics
from schemas.monitoring import DEPENDENCY_DOWN
from schemas.object_addresses import S3
from schemas.roles import Role
from schemas.settings import Settings

MODEL: Final = "model"
"""The dependency that is down until the model is loaded and warm, and once it no longer responds."""

_log: Final = structlog.get_logger(__name__)


def run_transcriber(settings: Settings) -> None:
    """Run the production role. Blocks until SIGTERM."""
    health = RoleHealth(why_not_ready=f"loading the model {settings.whisper.model}", declared=ENGINE_METRICS)
    model = health.metrics.gauge(DEPENDENCY_DOWN).labels(MODEL)
    build = observe_process(health.metrics, Role.TRANSCRIBER, services=(KAFKA, S3, SCRATCH, ENGINE, DESCRIPTORS))
    build.set(model=settings.whisper.model)
    model.set(1)
    clock = SystemClock()
    meter = StageMeter(health.metrics, decoder_processes=decoder_processes(settings.whisper), clock=clock)
    with (
        ended_by_signals(limit_seconds=settings.runtime.drain_timeout_seconds) as shutdown,
        served(health, settings.server),
        opened_transcriber(settings.whisper, meter=meter) as transcriber,
    ):
        transcriber.warm_up()
        health.is_well = transcriber.is_healthy
        model.set_function(lambda: not transcriber.is_healthy())
        loaded = transcriber.provenance
        build.set(model=loaded.model, compute_type=loaded.compute_type, device=loaded.device)
        _log.info("model is warm", model=loaded.model, device=loaded.device, compute_type=loaded.compute_type)
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
