"""``python -m kascribe.documents [--check]``: write the generated documents, or print how they differ."""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from kascribe.documents.asyncapi import asyncapi
from kascribe.documents.chart_schema import chart_schema
from kascribe.documents.commands import commands_page
from kascribe.documents.contracts import json_schemas
from kascribe.documents.environment_file import environment_file
from kascribe.documents.options_page import options_page
from kascribe.documents.pages import metrics_page, reasons_page, settings_page, topics_page
from kascribe.metering.catalogue import all_metrics, roles_of
from kascribe.process.log_events.page import logs_page
from kascribe.wiring.documentation import events_file, http_reasons, openapi

DIRECTORY: Final = Path(__file__).parents[2] / "docs"
CONTRACTS: Final = Path("contracts")


def documents() -> dict[Path, str]:
    """Return every generated document by its path within ``docs``. The same code gives the same bytes."""
    contracts = {
        CONTRACTS / f"{_file_name(model)}.schema.json": _as_json(schema)
        for model, schema in json_schemas().items()
    }
    return contracts | {
        CONTRACTS / "asyncapi.json": _as_json(asyncapi(version("kascribe"))),
        CONTRACTS / "openapi.json": _as_json(openapi()),
        Path("../.env.example"): environment_file(),
        Path("../deploy/helm/kascribe/values.schema.json"): chart_schema(),
        Path("events.html"): events_file(),
        Path("commands.md"): commands_page(),
        Path("logs.md"): logs_page(),
        Path("options.md"): options_page(),
        Path("settings.md"): settings_page(),
        Path("reasons.md"): reasons_page(http_reasons()),
        Path("topics.md"): topics_page(),
        Path("metrics.md"): metrics_page({metric: roles_of(metric) for metric in all_metrics()}),
    }


def write(directory: Path, wanted: Mapping[Path, str]) -> None:
    """Write the documents, and remove contracts that are no longer generated."""
    for path, text in wanted.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")
    for stale in _stale(directory, wanted):
        stale.unlink()


def differences(directory: Path, wanted: Mapping[Path, str]) -> Iterator[str]:
    """Return the lines of a unified diff from the files to the wanted texts; none when they are equal."""
    for path, text in sorted(wanted.items()):
        there = directory / path
        found = there.read_text(encoding="utf-8") if there.exists() else ""
        yield from difflib.unified_diff(
            found.splitlines(), text.splitlines(), f"docs/{path}", f"docs/{path} (generated)", lineterm=""
        )
    for stale in _stale(directory, wanted):
        yield f"docs/{stale.relative_to(directory)} is no longer generated"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the documents; return the exit code, 1 when ``--check`` finds a difference."""
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


def _file_name(model: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in model).lstrip("_")


def _as_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _stale(directory: Path, wanted: Mapping[Path, str]) -> list[Path]:
    there = sorted((directory / CONTRACTS).glob("*.schema.json"))
    return [path for path in there if path.relative_to(directory) not in wanted]
