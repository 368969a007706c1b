"""What the archive's commands share: the archive itself, and their options."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from kascribe.commands.options import completions

if TYPE_CHECKING:
    from producers.archive.reads import ArchiveReads

Language = Annotated[
    str | None,
    typer.Option(autocompletion=completions.languages, help="Only transcripts in this language, as in ko."),
]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant.")]
Begin = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Only jobs since then: 90m, 7d or 2026-11-22.")
]
End = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only jobs before then; likewise.")]


@contextmanager
def opened_reads() -> "Iterator[ArchiveReads]":
    """Open the archive while the context lasts. Raises ConfigurationError where there is none."""
    from kascribe.commands.settings import client_settings
    from kascribe.wiring.archive import opened_archive
    from producers.archive.reads import ArchiveReads
    from schemas.errors import ConfigurationError

    archive = client_settings().settings.archive
    if archive.url is None:
        raise ConfigurationError(
            "there is no archive here: `kascribe up` has one while it runs, and KASCRIBE_ARCHIVE_URL names that "
            "of a system that runs elsewhere"
        )
    with opened_archive(archive) as engine:
        yield ArchiveReads(engine)


def moment_ms(written: str | None, option: str) -> int | None:
    """Return a moment that a user wrote, as the archive has it; None where none was given.

    Raises ConfigurationError, which names the option.
    """
    from producers.archive.filters import milliseconds_of
    from schemas.clock import SystemClock
    from schemas.errors import ConfigurationError
    from schemas.moments import moment_of

    if written is None:
        return None
    try:
        return milliseconds_of(moment_of(written, now=SystemClock().now()))
    except ValueError as error:
        raise ConfigurationError(f"{option} {written}: {error}") from error
