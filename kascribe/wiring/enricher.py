"""The wiring of the enricher's role."""

from consumers.enricher.enrich import EnrichStage
from consumers.enricher.transcripts import StoredTranscripts
from consumers.runtime.monitoring.membership import KAFKA
from kascribe.metering.enrichments import ENRICHMENT_METRICS, EnrichmentMeter
from kascribe.metering.process import observe_process
from kascribe.metering.requests import REQUEST_METRICS, RequestMeter, meter_load
from kascribe.process.health import RoleHealth, served
from kascribe.process.shutdown import ended_by_signals
from kascribe.wiring.consumer import listening_for_cancellations, run_stage
from models.vllm.enricher import Enricher
from models.vllm.servers.pool import DEPENDENCY
from producers.results import EnrichmentResults
from schemas.errors import DESCRIPTORS
from schemas.kafka.topics import Topics
from schemas.object_addresses import S3
from schemas.roles import Role
from schemas.settings import Settings


def run_enricher(settings: Settings) -> None:
    """Run the production role. Blocks until SIGTERM; raises ConfigurationError when no server is named."""
    health = RoleHealth(declared=(*REQUEST_METRICS, *ENRICHMENT_METRICS))
    build = observe_process(health.metrics, Role.ENRICHER, services=(KAFKA, S3, DEPENDENCY, DESCRIPTORS))
    build.set(model=settings.vllm.model or "")
    results = EnrichmentResults(settings.s3)
    with (
        ended_by_signals(limit_seconds=settings.runtime.drain_timeout_seconds) as shutdown,
        served(health, settings.server),
        Enricher(settings.vllm, note_store=results, observer=RequestMeter(health.metrics)) as model,
        listening_for_cancellations(settings) as cancellations,
    ):
        meter_load(model.load, health.metrics)
        stage = EnrichStage(
            StoredTranscripts(settings.s3),
            results,
            model,
            topics=Topics(settings.kafka.topic_prefix),
            settings=settings.vllm,
            subtitles=settings.subtitles,
            cancellations=cancellations,
            observer=EnrichmentMeter(health.metrics),
        )
        run_stage(stage, settings, health, shutdown)
