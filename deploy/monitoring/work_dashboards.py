"""Dashboards of the work: an overview, the transcriber with its engine, and the enricher."""

from typing import Final

from consumers import metrics as runtime
from deploy.monitoring.expressions import highest, mean, quantile, rate, series, summed
from deploy.monitoring.panel import WINDOW, Dashboard, Panel, Query
from kascribe.metering import engine, enrichments, requests
from schemas.monitoring import BUILD_INFO, CHILD_MEMORY, CHILD_PROCESSES, DEPENDENCY_DOWN

MEDIAN: Final = 0.5
SLOWEST: Final = 0.95

OVERVIEW: Final = Dashboard(
    "overview",
    "Kascribe: overview",
    "For everyone: is it well, how much waits, how long do people wait, what fails?",
    (
        Panel(
            "Processes",
            (Query(f"count by (role) ({series(BUILD_INFO)})", "{{role}}"),),
            shape="stat",
            width=12,
            meaning="Processes that Prometheus reaches, by role.",
        ),
        Panel(
            "Services that are down",
            (Query(f"{highest(DEPENDENCY_DOWN, 'dependency')} == 1 or vector(0)", "{{dependency}}"),),
            shape="stat",
            width=12,
            meaning="0 while every service answers every role.",
        ),
        Panel(
            "Audio that waits",
            (Query(summed(runtime.BACKLOG_AUDIO_SECONDS, "role", "lane"), "{{role}}, {{lane}}"),),
            unit="s",
            width=12,
            meaning="Audio of records that are not done. Autoscaling follows it.",
        ),
        Panel(
            "Records that wait",
            (Query(summed(runtime.BACKLOG_RECORDS, "role", "lane"), "{{role}}, {{lane}}"),),
            width=12,
        ),
        Panel(
            "Throughput, times real time",
            (Query(rate(engine.AUDIO_SECONDS, "lane", window=WINDOW), "{{lane}}"),),
            width=8,
            meaning="Seconds of audio transcribed in a second.",
        ),
        Panel(
            "From reference to answer",
            (
                Query(
                    quantile(MEDIAN, runtime.END_TO_END_SECONDS, "role", "lane", window=WINDOW),
                    "{{role}}, {{lane}}: half within",
                ),
                Query(
                    quantile(SLOWEST, runtime.END_TO_END_SECONDS, "role", "lane", window=WINDOW),
                    "{{role}}, {{lane}}: 95 % within",
                ),
            ),
            unit="s",
            width=8,
            meaning="Until the broker has confirmed transcript or enrichment.",
        ),
        Panel(
            "Services, by role",
            (Query(highest(DEPENDENCY_DOWN, "job", "dependency"), "{{job}}: {{dependency}}"),),
            meaning="1 while a service does not answer, or intake waits for it.",
        ),
        Panel(
            "Failed attempts",
            (Query(rate(runtime.FAILURES, "reason", window=WINDOW), "{{reason}}"),),
            unit="ops",
            meaning="Some are tried again with success.",
        ),
        Panel(
            "Retries",
            (Query(rate(runtime.RETRIES, "reason", window=WINDOW), "{{reason}}"),),
            unit="ops",
        ),
        Panel(
            "Dead letters",
            (Query(rate(runtime.DEAD_LETTERS, "reason", window=WINDOW), "{{reason}}"),),
            unit="ops",
            meaning="Records that were given up: kascribe dlq list.",
        ),
        Panel(
            "Memory of processes",
            (
                Query(
                    f"sum by (job, instance) (process_resident_memory_bytes and on (instance) "
                    f"{series(BUILD_INFO)})",
                    "{{job}} {{instance}}",
                ),
                Query(summed(CHILD_MEMORY, "job", "instance"), "{{job}} {{instance}}: children"),
            ),
            unit="bytes",
        ),
        Panel(
            "CPU",
            (
                Query(
                    f"sum by (job, instance) (rate(process_cpu_seconds_total[{WINDOW}]) and on (instance) "
                    f"{series(BUILD_INFO)})",
                    "{{job}} {{instance}}",
                ),
            ),
            meaning="Cores that a process uses, without its children.",
        ),
        Panel("Child processes", (Query(summed(CHILD_PROCESSES, "job", "instance"), "{{job}} {{instance}}"),)),
        Panel(
            "Versions",
            (
                Query(
                    f"count by (role, version, python, model, compute_type, device) ({series(BUILD_INFO)})",
                    "",
                ),
            ),
            shape="table",
            width=24,
        ),
    ),
)

TRANSCRIBER: Final = Dashboard(
    "transcriber",
    "Kascribe: transcriber and engine",
    "For those who size and tune: is the device busy, and if not, what holds it back?",
    (
        Panel(
            "Busy",
            (
                Query(series(engine.ENGINE_BUSY), "device {{instance}}"),
                Query(series(engine.DECODERS_BUSY), "decoders {{instance}}"),
            ),
            unit="percentunit",
            meaning="Device near 1: the device is the limit. Decoders near 1 and the device not: decoding is.",
        ),
        Panel(
            "Windows in a batch, mean",
            (Query(mean(engine.BATCH_WINDOWS, "instance", "replica", window=WINDOW), "{{instance}} {{replica}}"),),
            meaning="Near the batch size while the device is busy: batches are full.",
        ),
        Panel("Windows that wait", (Query(series(engine.WAITING_WINDOWS), "{{instance}}"),)),
        Panel(
            "Decoders' sandbox",
            (Query(series(engine.DECODER_SANDBOX), "{{protection}} {{instance}}"),),
            meaning="1: the kernel enforces this protection in the decoders. `docs/sandbox.md` explains them.",
        ),
        Panel(
            "Wait before a stage, 95 % within",
            (Query(quantile(SLOWEST, engine.QUEUE_SECONDS, "stage", window=WINDOW), "{{stage}}"),),
            unit="s",
        ),
        Panel(
            "Time in a stage, 95 % within",
            (Query(quantile(SLOWEST, engine.SERVICE_SECONDS, "stage", window=WINDOW), "{{stage}}"),),
            unit="s",
        ),
        Panel(
            "Time in a stage, mean",
            (Query(mean(engine.SERVICE_SECONDS, "stage", window=WINDOW), "{{stage}}"),),
            unit="s",
        ),
        Panel(
            "Real-time factor",
            (
                Query(quantile(MEDIAN, engine.REAL_TIME_FACTOR, "lane", window=WINDOW), "{{lane}}: half within"),
                Query(quantile(SLOWEST, engine.REAL_TIME_FACTOR, "lane", window=WINDOW), "{{lane}}: 95 % within"),
            ),
            meaning="Seconds from a fetched file to its transcript, for each second of audio.",
        ),
        Panel(
            "Model time for audio",
            (
                Query(
                    f"{rate(engine.INFERENCE_SECONDS, 'lane', window=WINDOW)} / "
                    f"{rate(engine.AUDIO_SECONDS, 'lane', window=WINDOW)}",
                    "{{lane}}",
                ),
            ),
            meaning="Seconds of the model for each second of audio.",
        ),
        Panel(
            "Audio in flight",
            (Query(series(runtime.IN_FLIGHT_AUDIO_SECONDS), "{{job}} {{instance}}"),),
            unit="s",
        ),
        Panel("Bytes in flight", (Query(series(runtime.IN_FLIGHT_BYTES), "{{job}} {{instance}}"),), unit="bytes"),
        Panel(
            "Attempts, 95 % within",
            (
                Query(
                    quantile(SLOWEST, runtime.STAGE_SECONDS, "stage", "outcome", window=WINDOW),
                    "{{stage}}, {{outcome}}",
                ),
            ),
            unit="s",
            meaning="Of every role: from the start of an attempt to its end.",
        ),
    ),
)

ENRICHER: Final = Dashboard(
    "enricher",
    "Kascribe: enricher and language model",
    "For those who run language model servers: do they keep up, and how do requests end?",
    (
        Panel(
            "Requests, by how they end",
            (Query(rate(requests.REQUESTS, "outcome", window=WINDOW), "{{outcome}}"),),
            unit="ops",
        ),
        Panel(
            "Requests at the servers",
            (
                Query(summed(requests.REQUESTS_IN_FLIGHT), "in flight"),
                Query(summed(requests.REQUESTS_WAITING), "waiting"),
                Query(summed(requests.REQUESTS_LIMIT), "limit"),
            ),
            meaning="Waiting above 0 and a limit that halves: the servers are overloaded.",
        ),
        Panel("Tokens a second", (Query(rate(requests.TOKENS, "kind", window=WINDOW), "{{kind}}"),)),
        Panel(
            "Answer of a server",
            (
                Query(quantile(MEDIAN, requests.REQUEST_SECONDS, window=WINDOW), "half within"),
                Query(quantile(SLOWEST, requests.REQUEST_SECONDS, window=WINDOW), "95 % within"),
            ),
            unit="s",
        ),
        Panel(
            "Wait of a transcript",
            (Query(quantile(SLOWEST, enrichments.ENRICHMENT_QUEUE_SECONDS, window=WINDOW), "95 % within"),),
            unit="s",
        ),
        Panel(
            "Time in a stage, mean",
            (Query(mean(enrichments.ENRICHMENT_SERVICE_SECONDS, "stage", window=WINDOW), "{{stage}}"),),
            unit="s",
        ),
    ),
)
