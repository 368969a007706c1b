"""``python -m kascribe.documents [--check]``: writes the generated documents, or says how they differ."""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from consumers.runtime.monitoring.metrics import Metric, catalogue
from kascribe.documents.asyncapi import asyncapi, topic_rows
from kascribe.documents.commands import commands_page
from kascribe.documents.contracts import json_schemas, page, reasons_page, settings_page, table
from kascribe.metering import ENGINE_METRICS, REQUEST_METRICS
from schemas.settings import RuntimeSettings

DIRECTORY: Final = Path(__file__).parents[2] / "docs"
CONTRACTS: Final = Path("contracts")

_TOPICS_INTRODUCTION: Final = """
What travels where; a prefix may stand before every name (`KASCRIBE_KAFKA_TOPIC_PREFIX`). The actions are
Kascribe's. Values are UTF-8 JSON with `schema_version`; readers ignore unknown fields and refuse unknown major
versions. Headers follow the CloudEvents Kafka binding in binary mode, with `traceparent`. The retry topics are
those of the default delays. Schemas are in `contracts/`, all of it together in `contracts/asyncapi.json`.

Callers need no access to retry and dead-letter topics, and should have none: only there does Kascribe believe the
headers that say which record a job began with (its origin) and how often it was tried. `kascribe dlq redrive`
sends a letter to the shortest retry topic of its own topic, and marks it in `audio.redriven`, which it creates:
one partition, and `cleanup.policy=compact`, so a letter that went back stays marked while it exists. No contract
describes that topic: `kascribe dlq` alone writes and reads it.

An unknown name inside `options` or `enrich` is refused with `invalid_options` and the nearest name, since it would
change the result without a word; so is an option, or a misspelt field, beside `options`. Only an event of a later
minor version than this release knows (`1.1` for one that knows `1.0`) may have new options: they are ignored.

A release may add words to a list of values, such as flags, reasons and phases. Its own older roles refuse an event
with a word that they do not know, so upgrade gateways and enrichers first and transcribers last. What older
releases wrote to topics, commits and the bucket is read.
"""

_METRICS_INTRODUCTION: Final = """
The transcriber and the enricher serve them at `/metrics` of `KASCRIBE_SERVER_HOST` and `KASCRIBE_SERVER_PORT`, in
Prometheus's format. The gateway has none; its health is at `/health` of its own address.
"""


def documents() -> dict[Path, str]:
    """Every generated document by its path within ``docs``. The same code gives the same bytes."""
    contracts = {
        CONTRACTS / f"{_file_name(model)}.schema.json": _as_json(schema)
        for model, schema in json_schemas().items()
    }
    return contracts | {
        CONTRACTS / "asyncapi.json": _as_json(asyncapi(version("kascribe"))),
        Path("commands.md"): commands_page(),
        Path("settings.md"): settings_page(),
        Path("reasons.md"): reasons_page(),
        Path("topics.md"): _topics_page(),
        Path("metrics.md"): _metrics_page(catalogue(ENGINE_METRICS, REQUEST_METRICS)),
    }


def write(directory: Path, wanted: Mapping[Path, str]) -> None:
    """Writes the documents, and removes contracts that are no longer generated."""
    for path, text in wanted.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")
    for stale in _stale(directory, wanted):
        stale.unlink()


def differences(directory: Path, wanted: Mapping[Path, str]) -> Iterator[str]:
    """The lines of a unified diff from what is there to what is wanted; none when they are equal."""
    for path, text in sorted(wanted.items()):
        there = directory / path
        found = there.read_text(encoding="utf-8") if there.exists() else ""
        yield from difflib.unified_diff(
            found.splitlines(), text.splitlines(), f"docs/{path}", f"docs/{path} (generated)", lineterm=""
        )
    for stale in _stale(directory, wanted):
        yield f"docs/{stale.relative_to(directory)} is no longer generated"


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m kascribe.documents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; print the differences")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where the documents are")
    chosen = parser.parse_args(arguments)
    wanted = documents()
    if not chosen.check:
        write(chosen.directory, wanted)
        return 0
    lines = list(differences(chosen.directory, wanted))
    if lines:
        print("\n".join(lines))
        print("the generated documents differ: run `make docs` and commit what it writes", file=sys.stderr)
    return 1 if lines else 0


def _topics_page() -> str:
    rows = topic_rows(RuntimeSettings().retry_delays_seconds)
    return page("Topics", _TOPICS_INTRODUCTION, table(("topic", "value", "key", "Kascribe", "meaning"), rows))


def _metrics_page(metrics: list[Metric]) -> str:
    rows = (
        (f"`{each.name}`", each.kind, each.unit, ", ".join(f"`{label}`" for label in each.labels), each.meaning)
        for each in metrics
    )
    return page("Metrics", _METRICS_INTRODUCTION, table(("metric", "kind", "unit", "labels", "meaning"), rows))


def _file_name(model: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in model).lstrip("_")


def _as_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _stale(directory: Path, wanted: Mapping[Path, str]) -> list[Path]:
    there = sorted((directory / CONTRACTS).glob("*.schema.json"))
    return [path for path in there if path.relative_to(directory) not in wanted]
