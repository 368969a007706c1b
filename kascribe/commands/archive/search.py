"""``kascribe search``: words in the recordings of the archive."""

import sys
from typing import Annotated, Final

import typer

from kascribe.commands.archive.reading import Begin, End, Language, Tenant, moment_ms, opened_reads
from kascribe.console.terminal import notify, write

LARGEST_LIMIT: Final = 1_000


def search(
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS…", help="What was said; several words in quotes are a phrase.")
    ],
    job: Annotated[str | None, typer.Option(help="Only this job, with all of its hits.")] = None,
    language: Language = None,
    tenant: Tenant = None,
    begin: Begin = None,
    end: End = None,
    limit: Annotated[int, typer.Option(min=1, max=LARGEST_LIMIT, help="At most so many recordings.")] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON for each recording, as GET /v1/search has it.")
    ] = False,
) -> None:
    """Search recordings in which all words occur, newest first; off a terminal one hit a line, with tabs between.

    Examples:
      kascribe search budget "third quarter"
      kascribe search 회의 --language ko --from 30d
    """
    from kascribe.console.archive import print_results, result_lines
    from kascribe.console.terminal import Screen
    from producers.archive.filters import SearchFilter

    asked = SearchFilter(
        tenant=tenant,
        words=" ".join(map(_quoted, words)),
        language=language,
        from_ms=moment_ms(begin, "--from"),
        to_ms=moment_ms(end, "--to"),
        job_id=job,
    )
    with opened_reads() as reads:
        page = reads.search(asked, limit=limit)
    if as_json:
        for result in page.results:
            write(result.model_dump_json())
    elif not page.results:
        notify("nothing found")
    elif sys.stdout.isatty():
        print_results(Screen(), page.results)
    else:
        for result in page.results:
            for line in result_lines(result):
                write(line)
    if page.next is not None:
        notify(f"there are more recordings: --limit {min(limit * 10, LARGEST_LIMIT)}, or further words")


def _quoted(word: str) -> str:
    """Return an argument as a query: one with spaces was quoted for the shell, and is a phrase."""
    return f'"{word}"' if " " in word and '"' not in word else word
