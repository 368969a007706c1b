"""A series with a label of a closed set exists before its first event, as docs/metrics.md promises."""

from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from consumers.metrics import RUNTIME_METRICS, Metrics, new_instruments
from consumers.runtime.settlement import OUTCOMES
from kascribe.metering.catalogue import all_metrics
from kascribe.metering.engine import DECODER_SANDBOX, ENGINE_METRICS, StageMeter
from schemas.monitoring import DEPENDENCY_DOWN, Metric
from schemas.options import Lane
from schemas.settings import RuntimeSettings
from tests.flow.stages import TOPIC, CommandStage
from tests.support.clock import HandClock
from tests.unit.runtime.runtime_bench import RuntimeBench, unconnected

OPEN_LABELS: Final = frozenset(
    {"topic", "partition", "replica", "method", "route", "status", "family"}
    | {"version", "python", "model", "compute_type", "device"}
)
"""Their values are those of an installation, a device, a client or a broker."""

ROLE_LABELS: Final = frozenset({"role", "stage", "lane", "basis", "topic", "outcome"})
"""Of rows whose series the runtime makes, since they name its own stage or its own topics."""

OTHERWISE: Final = frozenset({DEPENDENCY_DOWN, DECODER_SANDBOX})
"""Each role names its services at its start; what protects decoders is not known before one runs."""


class _Transcriber(CommandStage):
    name = "transcriber"


def of_the_runtime(row: Metric) -> bool:
    """Say whether a row has a closed label beside one that only a running role knows."""
    return row in RUNTIME_METRICS and len(row.labels) > 1 and set(row.labels) <= ROLE_LABELS


@pytest.mark.parametrize("row", all_metrics(), ids=lambda row: row.name)
def test_a_row_of_one_closed_label_has_all_its_series_from_the_start(row: Metric) -> None:
    """A new row with a label says which values it has, or is named above with the reason."""
    closed = set(row.labels) - OPEN_LABELS
    if closed and row not in OTHERWISE and not of_the_runtime(row) and "version" not in row.labels:
        assert row.values, f"{row.name}: which values has {', '.join(closed)}?"
    assert len(row.labels) == 1 or not row.values
    instruments = new_instruments([row])
    served = (
        {sample.labels.get(row.labels[0]) for sample in _samples(instruments.registry)} if row.values else set()
    )
    assert served == set(row.values)


def test_the_runtime_has_all_series_of_its_stage_from_the_start() -> None:
    """By role, lane, topic and outcome; and of the topics that it reads."""
    role, lanes = _Transcriber.name, [lane.value for lane in Lane]
    expected = {
        "kascribe_backlog_records": [{"role": role, "lane": lane} for lane in lanes],
        "kascribe_backlog_audio_seconds": [
            {"role": role, "lane": lane, "basis": basis} for lane in lanes for basis in ("stated", "estimated")
        ],
        "kascribe_end_to_end_seconds_count": [{"role": role, "lane": lane} for lane in lanes],
        "kascribe_records_settled_total": [{"topic": TOPIC, "outcome": outcome} for outcome in OUTCOMES],
        "kascribe_stage_seconds_count": [{"stage": role, "outcome": outcome} for outcome in ("done", "failed")],
    }
    rows = {row.name for row in RUNTIME_METRICS if of_the_runtime(row)}
    assert {name.removesuffix("_count") for name in expected} == rows
    read = ("unclean_takeovers", "records_received", "records_skipped")
    expected |= {f"kascribe_{name}_total": [{"topic": TOPIC}] for name in read}
    expected["kascribe_rebalances_total"] = [{"kind": kind} for kind in ("assigned", "revoked", "lost")]
    with unconnected() as consumer:
        bench = RuntimeBench(consumer, ((0, ""),), TOPIC, RuntimeSettings(), stage=_Transcriber())
        for name, series in expected.items():
            for labels in series:
                assert bench.registry.get_sample_value(name, labels) == 0, (name, labels)


def test_what_stages_report_adds_no_series() -> None:
    """The values that are declared are the values that are measured."""
    registry = CollectorRegistry()
    meter = StageMeter(Metrics(registry, ENGINE_METRICS), decoder_processes=1, clock=HandClock())
    before = _series_by_stage(registry)
    meter.on_batch(replica=0, rows=1, queued_seconds=1.0, seconds=1.0)
    meter.on_file_begin(queued_seconds=1.0, reserved=False)
    meter.on_file_end(seconds=1.0, reserved=False)
    meter.on_fetched(queued_seconds=1.0, seconds=1.0)
    meter.on_stored(seconds=1.0)
    assert _series_by_stage(registry) == before


def _samples(registry: CollectorRegistry) -> list[Sample]:
    return [sample for family in registry.collect() for sample in family.samples]


def _series_by_stage(registry: CollectorRegistry) -> set[tuple[str, str]]:
    return {(each.name, each.labels["stage"]) for each in _samples(registry) if "stage" in each.labels}
