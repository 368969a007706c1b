"""A running system whose transcripts ``kascribe enrich --all`` enriches: a real enricher's stage, and doubles."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer
from confluent_kafka import Producer
from typer.testing import CliRunner

from kascribe.commands.enriching.enrich import enrich
from producers.results import ResultStore
from schemas.errors import ConfigurationError
from schemas.events import EnrichmentEvent
from schemas.identity import job_id
from schemas.kafka.topics import Topics
from schemas.kafka.wire import decode
from tests.contract.enricher.enrich_jobs import transcript_of, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.contract.vllm.vllm_double import VllmDouble
from tests.flow.gateway import PARTITIONS, GatewayBench
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on

TOPICS: Final = Topics()
app: Final = typer.Typer()
app.command()(enrich)


@dataclass
class EnrichSystem:
    """A running system with an enricher, and the command's environment."""

    bench: GatewayBench
    store: ResultStore
    double: VllmDouble
    broker: MockCluster

    @property
    def servers(self) -> str:
        """The broker's addresses."""
        return self.broker.bootstrap_servers

    def publish(self, keys: list[str], **fields: Any) -> list[str]:
        """Publish a transcript for each key, and return their jobs."""
        producer = Producer({"bootstrap.servers": self.servers})
        for number, key in enumerate(keys):
            uri = self.store.put_transcript(key, transcript_of(spoken(8, seed=number)))
            record = transcript_record(uri, key=key, reference_event_id=f"of {key}", **fields)
            producer.produce(TOPICS.transcripts, record.value, key=key.encode())
        assert producer.flush(10) == 0
        return [job_id(key) for key in keys]

    def enrich(self, *arguments: str) -> Mapping[str, Any]:
        """Run ``kascribe enrich --all`` to its end and return its summary, with the exit code."""
        result = CliRunner().invoke(app, ["--all", "--json", *arguments])
        if isinstance(result.exception, ConfigurationError):
            raise result.exception
        # The stage runs in this process, and its log lines stand around the summary.
        _, brace, rest = result.stdout.partition("{\n")
        assert brace, result.exception
        summary, _ = json.JSONDecoder().raw_decode(brace + rest)
        return {**summary, "exit_code": result.exit_code, "stderr": result.stderr}

    def enrichments(self, count: int) -> list[EnrichmentEvent]:
        """Read the first ``count`` enrichments."""
        found = records_on(self.servers, TOPICS.enrichments, count=count, partitions=PARTITIONS)
        return [decode(record, EnrichmentEvent) for record in found]
