"""The dashboards are what Grafana's own types of a dashboard allow (its package @grafana/schema)."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from deploy.monitoring.files import DASHBOARD_LIST, DASHBOARDS, ROOT
from deploy.stack import StackError
from tests.clients.toolchains import GRAFANA
from tests.support.listening import missing

RUN_SECONDS: Final = 180.0
HEAD: Final = (
    'import type { Dashboard } from "@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen";\n'
    "export const dashboard: Dashboard = "
)
OPTIONS: Final = ("--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext")


@pytest.fixture(scope="module")
def modules() -> Path:
    """Return the folder with the types, in a pinned version; skip where they cannot be installed."""
    if programs := GRAFANA.missing():
        missing(f"Grafana's types need, on PATH: {', '.join(programs)}")
    try:
        return GRAFANA.prepare() / "node_modules"
    except StackError as error:
        missing(f"Grafana's types cannot be installed: {error}")


def compiled(modules: Path, folder: Path, texts: dict[str, str]) -> str:
    """Return what the compiler finds in dashboards, as values of Grafana's type; empty when nothing."""
    (folder / "node_modules").symlink_to(modules)
    for name, text in texts.items():
        (folder / f"{name}.ts").write_text(HEAD + text, encoding="utf-8")
    node = shutil.which("node") or "node"
    done = subprocess.run(
        [node, modules / "typescript" / "bin" / "tsc", *OPTIONS, *(f"{name}.ts" for name in texts)],
        cwd=folder,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    return done.stdout + done.stderr


def test_every_dashboard_has_grafana_s_type(modules: Path, tmp_path: Path) -> None:
    """A misspelt field or a wrong value would be ignored by Grafana without a word."""
    texts = {each.name: (ROOT / DASHBOARDS / f"{each.name}.json").read_text() for each in DASHBOARD_LIST}
    wrong = (
        texts["overview"]
        .replace('"gridPos"', '"gridPosition"')
        .replace('"schemaVersion": 39', '"schemaVersion": "39"')
    )
    found = compiled(modules, tmp_path, {**texts, "wrong": wrong})
    assert {line.split("(")[0] for line in found.splitlines() if "error" in line} == {"wrong.ts"}
