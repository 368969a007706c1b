"""``kascribe usage``: what the archive's jobs add up to."""

import sys
from typing import Annotated

import typer

from kascribe.commands.archive.reading import Begin, End, Tenant, moment_ms, opened_reads
from kascribe.console.terminal import notify, write
from producers.archive.filters import UsageKey


def usage(
    by: Annotated[UsageKey, typer.Option(help="What is summed up.")] = UsageKey.DAY,
    tenant: Tenant = None,
    begin: Begin = None,
    end: End = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON for each sum, as GET /v1/usage has it.")
    ] = False,
) -> None:
    """Sum up jobs and seconds by tenant, day or model; off a terminal one sum a line, with tabs between.

    Examples:
      kascribe usage --by tenant --from 2026-11-01 --to 2026-12-01
    """
    from kascribe.console.archive import print_usage, usage_line
    from kascribe.console.terminal import Screen
    from producers.archive.filters import JobFilter

    asked = JobFilter(tenant=tenant, from_ms=moment_ms(begin, "--from"), to_ms=moment_ms(end, "--to"))
    with opened_reads() as reads:
        rows = reads.usage(by, asked)
    if as_json:
        for row in rows:
            write(row.model_dump_json())
    elif not rows:
        notify("no jobs")
    elif sys.stdout.isatty():
        print_usage(Screen(), by, rows)
    else:
        for row in rows:
            write(usage_line(row))
