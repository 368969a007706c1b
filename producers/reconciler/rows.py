"""The reconciler's rows of the catalogue of metrics."""

from typing import Final

from producers.reconciler.tally import Outcome
from schemas.monitoring import PROCESS_METRICS, Metric

RECONCILED_OBJECTS: Final = Metric(
    "kascribe_reconciled_objects_total",
    "counter",
    "objects",
    ("outcome",),
    f"Objects that runs of the reconciler listed, by what became of them: {', '.join(Outcome)}.",
    values=tuple(outcome.value for outcome in Outcome),
)
RUN_OUTCOMES: Final = ("completed", "failed")
RECONCILER_RUNS: Final = Metric(
    "kascribe_reconciler_runs_total",
    "counter",
    "events",
    ("outcome",),
    "Runs of the reconciler: completed, failed (a bucket or the broker did not answer).",
    values=RUN_OUTCOMES,
)
RECONCILER_METRICS: Final = (RECONCILED_OBJECTS, RECONCILER_RUNS, *PROCESS_METRICS)
