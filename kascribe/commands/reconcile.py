"""``kascribe reconcile``: requests for dropped objects that no notification announced."""

import json
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kascribe.console.terminal import write

if TYPE_CHECKING:
    from kascribe.process.shutdown import Shutdown
    from producers.reconciler.drops import Drop
    from producers.reconciler.reconciler import Report, Rules
    from producers.reconciler.tally import Outcome
    from schemas.settings import Settings

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
_UNIT_SECONDS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(text: str) -> float:
    """Parse a duration: a number of seconds, or one with a unit."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration: write 90s, 10m, 2h or 1d")
    return float(match[1]) * _UNIT_SECONDS[match[2] or ""]


def reconcile(
    once: Annotated[bool, typer.Option("--once", help="End after one run.")] = False,
    every: Annotated[
        float | None,
        typer.Option(parser=_seconds, metavar="DURATION", help="From one run to the next, such as 10m."),
    ] = None,
    bucket: Annotated[str | None, typer.Option(help="Search this bucket only.")] = None,
    prefix: Annotated[str, typer.Option(help="Search only keys that begin so.")] = "",
    min_age: Annotated[
        float | None,
        typer.Option(parser=_seconds, metavar="DURATION", help="Leave younger objects to their notifications."),
    ] = None,
    lost_after: Annotated[
        float | None,
        typer.Option(
            parser=_seconds, metavar="DURATION", help="Request accepted jobs again that did not end in this time."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be requested.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line each.")] = False,
) -> None:
    """Request dropped objects that no notification announced; without --once again and again.

    Stores lose notifications, as MinIO does when it ends while Kafka is down. The buckets are listed; what has no
    result and was not accepted is requested with the identity that its notification would have given.

    Examples:
        $ kascribe reconcile --once --dry-run  # what would be requested
        $ kascribe reconcile --every 10m  # in production, until SIGTERM
        $ kascribe reconcile --once --lost-after 1d  # also accepted and lost
    """
    from kascribe.commands.settings import configured_system
    from kascribe.process import logs
    from kascribe.process.redaction import secrets_in
    from kascribe.process.shutdown import ended_by_signals
    from kascribe.wiring.reconciler import searched_buckets
    from producers.reconciler.reconciler import Rules

    if once and every is not None:
        raise typer.BadParameter("--once and --every exclude each other")
    settings = configured_system().settings
    age_seconds = settings.reconciler.min_age_seconds if min_age is None else min_age
    rules = Rules(
        min_age=timedelta(seconds=age_seconds),
        lost_after=None if lost_after is None else timedelta(seconds=lost_after),
        is_dry=dry_run,
    )
    buckets = searched_buckets(settings, bucket)
    if not once:
        logs.configure_process(settings.log, role="reconciler", secrets=secrets_in(settings))
    with ended_by_signals(limit_seconds=settings.runtime.drain_timeout_seconds) as shutdown:
        search = _search(settings, rules, buckets, prefix, as_json=as_json)
        if once:
            _run_once(settings, search, shutdown, as_json=as_json)
        else:
            _run_repeatedly(settings, search, every, shutdown, as_json=as_json)


def _search(
    settings: "Settings", rules: "Rules", buckets: tuple[str, ...], prefix: str, *, as_json: bool
) -> "Callable[[Callable[[], bool]], Report]":
    """Return one run; it takes the function that says whether to stop."""
    from kascribe.wiring.reconciler import new_reconciler

    reconciler = new_reconciler(settings, rules)

    def tell(drop: "Drop", outcome: "Outcome") -> None:
        if rules.is_dry:
            write(_line_of(drop, outcome, as_json=as_json))

    return lambda stopped: reconciler.run(buckets, prefix, stopped=stopped, tell=tell)


def _run_once(
    settings: "Settings",
    search: "Callable[[Callable[[], bool]], Report]",
    shutdown: "Shutdown",
    *,
    as_json: bool,
) -> None:
    from consumers.s3 import reach_store
    from producers.topics import reach_broker
    from schemas.errors import DependencyDown
    from schemas.object_addresses import S3

    reach_broker(settings.kafka)
    reach_store(settings.s3)
    shutdown.pass_to(lambda: None)
    report = search(lambda: shutdown.signals > 0)
    write(_summary(report, None, as_json=as_json))
    if report.problems:
        raise DependencyDown(S3, "; ".join(report.problems))
    if report.is_stopped:
        raise typer.Exit(128 + signal.SIGINT)


def _run_repeatedly(
    settings: "Settings",
    search: "Callable[[Callable[[], bool]], Report]",
    every_seconds: float | None,
    shutdown: "Shutdown",
    *,
    as_json: bool,
) -> None:
    from kascribe.wiring.reconciler import ReconcilerHealth, run_repeatedly, served

    health = ReconcilerHealth()
    with served(health, settings.server):
        run_repeatedly(
            search,
            interval_seconds=settings.reconciler.interval_seconds if every_seconds is None else every_seconds,
            health=health,
            shutdown=shutdown,
            show=lambda report, problem: write(_summary(report, problem, as_json=as_json)),
        )


def _summary(report: "Report", problem: str | None, *, as_json: bool) -> str:
    if as_json:
        ends = {"problem": problem or "; ".join(report.problems) or None, "stopped": report.is_stopped}
        return json.dumps({**report.tally.as_document(), **ends}, ensure_ascii=False)
    return report.tally.sentence() + (f"; not finished: {problem}" if problem else "")


def _line_of(drop: "Drop", outcome: "Outcome", *, as_json: bool) -> str:
    reference = drop.reference
    if as_json:
        described = {"job_id": drop.job_id, "uri": reference.uri, "version_id": reference.version_id}
        return json.dumps({"outcome": outcome.value, **described}, ensure_ascii=False)
    return f"{outcome.value} {drop.job_id} {reference.uri}"
