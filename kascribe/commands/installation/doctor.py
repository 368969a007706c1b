"""``kascribe doctor``: whether everything that the roles need is there, and what to do where it is not."""

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Final

import structlog
import typer
from pydantic import BaseModel, ConfigDict
from rich.progress import SpinnerColumn, TextColumn

from kascribe.commands.options.json_option import json_option
from kascribe.console.diagnosis import print_area, print_summary
from kascribe.console.terminal import Screen, bars, fitted, write_json
from kascribe.operations.doctor.findings import Check, Diagnosis
from kascribe.operations.doctor.masking import masked
from kascribe.operations.doctor.needs import RECONCILER
from schemas.roles import Role


class Examined(StrEnum):
    """The roles of ``kascribe run``, and ``kascribe reconcile``."""

    TRANSCRIBER = Role.TRANSCRIBER.value
    ENRICHER = Role.ENRICHER.value
    GATEWAY = Role.GATEWAY.value
    ARCHIVE = Role.ARCHIVE.value
    NOTIFIER = Role.NOTIFIER.value
    RECONCILER = RECONCILER


class FindingRow(BaseModel):
    """One row. ``state`` is ok, warning, failed or skipped; ``remedy`` is empty where there is nothing to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    area: str
    check: str
    name: str
    state: str
    found: str
    remedy: str
    seconds: float


AREAS: Final = ("Kafka", "S3", "model", "machine", "vLLM", "archive", "webhooks", "settings", "roles")
"""In the order in which they are printed, which does not depend on which check ends first."""

WAITING_COLUMNS: Final = 76
SILENT: Final = logging.CRITICAL
"""Nothing of ours logs at this level: what clients and our own code would log is in the rows."""


def doctor(
    roles: Annotated[
        list[Examined] | None,
        typer.Argument(
            metavar="ROLE…",
            help="Roles to examine; without any, those that the settings are made for.",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="What the supervisor gives a role from SIGTERM to SIGKILL, to compare with the time to drain; "
            "without it, TimeoutStopSec of the roles' units where systemd has them.",
        ),
    ] = None,
    as_json: Annotated[bool, json_option(FindingRow, "row")] = False,
) -> None:
    """Check what the roles need: Kafka, bucket, model, device, disk, limits, vLLM, archive, webhooks.

    Each check uses the real client and the effective settings, and has a time limit of its own. What is tried is
    harmless: probe objects under the prefixes of results and uploads, which are removed again, and reading of
    topics. Run it as the user and in the place in which the role runs. Exit code 1 when a row has failed.

    Examples:
        $ kascribe doctor
        $ kascribe doctor transcriber --grace 60
        $ kascribe doctor --json | jq -r 'select(.state == "failed") | .remedy'
    """
    from kascribe.commands.settings import client_settings
    from kascribe.operations.doctor.examination import examine
    from kascribe.operations.doctor.masking import secrets_of
    from kascribe.operations.doctor.plan import planned
    from kascribe.operations.doctor.roles import examined_roles
    from schemas.clock import SystemClock

    logging.getLogger().addHandler(logging.NullHandler())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(SILENT))
    settings, clock = client_settings().settings, SystemClock()
    chosen = examined_roles(roles or (), settings)
    checks = planned(settings, chosen, named=bool(roles), grace_seconds=grace, clock=clock)
    started_at = clock.monotonic()
    diagnoses = [
        _masked(each, secrets_of(settings, os.environ))
        for each in _followed(examine(checks, clock=clock), checks, quiet=as_json)
    ]
    _print(diagnoses, checks, seconds=clock.monotonic() - started_at, as_json=as_json)
    exit_code = int(any(each.has_failed for each in diagnoses))
    if not all(each.ended for each in diagnoses):
        # A check that hangs holds threads of clients that the interpreter would wait for.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)
    raise typer.Exit(exit_code)


def _followed(diagnoses: Iterable[Diagnosis], checks: Sequence[Check], *, quiet: bool) -> Iterator[Diagnosis]:
    """Yield the diagnoses, and show on a terminal which checks still run."""
    waited = {check.name for check in checks}
    with bars(SpinnerColumn(), TextColumn("{task.description}", markup=False)) as progress:
        task = progress.add_task("", visible=not quiet)
        for diagnosis in diagnoses:
            waited.discard(diagnosis.check.name)
            progress.update(task, description=fitted(f"checking {', '.join(sorted(waited))}", WAITING_COLUMNS))
            yield diagnosis


def _masked(diagnosis: Diagnosis, secrets: Sequence[str]) -> Diagnosis:
    findings = (
        replace(each, found=masked(each.found, secrets), remedy=masked(each.remedy, secrets))
        for each in diagnosis.findings
    )
    return replace(diagnosis, findings=tuple(findings))


def _print(diagnoses: Sequence[Diagnosis], checks: Sequence[Check], *, seconds: float, as_json: bool) -> None:
    order = {check.name: place for place, check in enumerate(checks)}
    ordered = sorted(diagnoses, key=lambda each: (AREAS.index(each.check.area), order[each.check.name]))
    if as_json:
        for diagnosis in ordered:
            for row in _rows(diagnosis):
                write_json(row)
        return
    screen = Screen()
    for area in AREAS:
        findings = [found for each in ordered if each.check.area == area for found in each.findings]
        if findings:
            print_area(screen, area, findings)
    print_summary(screen, [found for each in ordered for found in each.findings], seconds=seconds)


def _rows(diagnosis: Diagnosis) -> Iterator[FindingRow]:
    for each in diagnosis.findings:
        yield FindingRow(
            area=diagnosis.check.area,
            check=diagnosis.check.name,
            name=each.name,
            state=each.state,
            found=each.found,
            remedy=each.remedy,
            seconds=round(diagnosis.seconds, 3),
        )
