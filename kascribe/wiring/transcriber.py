"""The transcriber's role, wired."""

from contextlib import closing

import structlog

from consumers.fetch import ObjectFetcher
from consumers.transcribe import TranscribeStage
from kascribe.wiring.consumer import Health, listening_for_cancellations, run_stage, served
from kascribe.wiring.engine import opened_transcriber
from kascribe.wiring.metering import ENGINE_METRICS, MeteredEngine
from kascribe.wiring.shutdown import ended_by_signals
from kascribe.wiring.watchdog import ended_when_hanging
from producers.results import ResultStore
from schemas.settings import Settings
from schemas.topics import Topics

_log = structlog.get_logger(__name__)


def run_transcriber(settings: Settings) -> None:
    """The production role: blocks until SIGTERM."""
    health = Health(why_not_ready=f"loading the model {settings.whisper.model}", declared=ENGINE_METRICS)
    with (
        ended_by_signals(limit_seconds=settings.runtime.drain_timeout_seconds) as shutdown,
        served(health, settings),
        opened_transcriber(settings.whisper) as transcriber,
    ):
        transcriber.warm_up()
        health.is_well = transcriber.healthy
        _log.info(
            "model_is_warm", **transcriber.provenance.model_dump(include={"model", "device", "compute_type"})
        )
        with (
            ended_when_hanging(transcriber.healthy),
            closing(ObjectFetcher(settings.s3)) as fetcher,
            listening_for_cancellations(settings) as withdrawn,
        ):
            stage = TranscribeStage(
                fetcher,
                ResultStore(settings.s3),
                MeteredEngine(transcriber, health.metrics),
                topics=Topics(settings.kafka.topic_prefix),
                settings=settings.s3,
                withdrawn=withdrawn,
            )
            run_stage(stage, settings, health, shutdown)
