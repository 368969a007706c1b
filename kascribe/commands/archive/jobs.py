"""``kascribe jobs``: the jobs of the archive."""

import sys
from typing import Annotated, Final

import typer

from kascribe.commands.archive.reading import Begin, End, Language, Tenant, moment_ms, opened_reads
from kascribe.console.terminal import notify, write
from schemas.events import Phase
from schemas.transcripts.transcript import TranscriptStatus

LARGEST_LIMIT: Final = 10_000


def jobs(
    phase: Annotated[Phase | None, typer.Option(help="Only jobs in this phase.")] = None,
    status: Annotated[TranscriptStatus | None, typer.Option(help="Only transcripts of this status.")] = None,
    language: Language = None,
    tenant: Tenant = None,
    begin: Begin = None,
    end: End = None,
    limit: Annotated[int, typer.Option(min=1, max=LARGEST_LIMIT, help="At most so many.")] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON for each job, as GET /v1/jobs has it.")
    ] = False,
) -> None:
    """List jobs of the archive, newest first; off a terminal one a line, with tabs between.

    Examples:
      kascribe jobs --phase failed --from 7d
      kascribe jobs --language ko --json | jq -r .job_id
    """
    from kascribe.console.archive import job_line, moment, print_jobs
    from kascribe.console.terminal import Screen
    from producers.archive.filters import JobFilter

    asked = JobFilter(
        tenant=tenant,
        phase=phase,
        status=status,
        language=language,
        from_ms=moment_ms(begin, "--from"),
        to_ms=moment_ms(end, "--to"),
    )
    with opened_reads() as reads:
        page = reads.jobs(asked, limit=limit)
    if as_json:
        for job in page.jobs:
            write(job.model_dump_json())
    elif not page.jobs:
        notify("no jobs")
    elif sys.stdout.isatty():
        print_jobs(Screen(), page.jobs)
    else:
        for job in page.jobs:
            write(job_line(job))
    if page.next is not None:
        last = moment(page.jobs[-1].created_at)
        notify(f"there are older ones: --limit {min(limit * 10, LARGEST_LIMIT)}, or --to {last}")
