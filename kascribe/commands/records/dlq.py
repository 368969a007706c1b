"""``kascribe dlq``: dead letters, listed, shown, and sent back."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kascribe.commands.options.json_option import json_option
from kascribe.commands.records.letter_rows import (
    LetterRow,
    RedriveRow,
    WholeLetterRow,
    letter_row,
    whole_letter_row,
)
from kascribe.console.terminal import notify, one_line, write, write_json
from schemas.errors import Reason
from schemas.kafka.dead_letters import DeadLetter, Selection
from schemas.kafka.records import Coordinates

if TYPE_CHECKING:
    from rich.console import Console

    from consumers.dead_letters import DeadLetterReader, FoundLetter
    from schemas.settings import Settings

app: Final = typer.Typer(no_args_is_help=True)

ReasonOption = Annotated[Reason | None, typer.Option("--reason", metavar="REASON", help="Only this reason.")]
JobOption = Annotated[str | None, typer.Option("--job", help="Only this job.")]
SinceOption = Annotated[str | None, typer.Option("--since", help="Only failures since then: 90m, 7d or a date.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]
AgainOption = Annotated[bool, typer.Option("--again", help="Also what was redriven already.")]

Row = tuple[str, str, str, str, str]
"""A letter's name, time of failure, reason, ``redriven`` or nothing, message."""

MESSAGE_CHARACTERS: Final = 200
MESSAGE_INDENT: Final = 4


@app.command("list")
def list_letters(
    reason: ReasonOption = None,
    job: JobOption = None,
    since: SinceOption = None,
    limit: LimitOption = 100,
    again: AgainOption = False,
    as_json: Annotated[bool, json_option(LetterRow, "letter")] = False,
) -> None:
    """List dead letters, oldest first in each partition; off a terminal one a line, with tabs between.

    Examples:
        $ kascribe dlq list --reason audio_undecodable --since 7d
        $ kascribe dlq list --json | jq -r '.letter + " " + .message'
    """
    from kascribe.console.terminal import Screen

    selection = _selection(reason, job, since)
    with _reader() as (_, reader):
        found = list(islice(_selected(reader, selection, again=again), limit))
    if as_json:
        for each in found:
            write_json(letter_row(each))
        return
    rows = [_row(each) for each in found]
    if not rows:
        notify("no dead letters")
    elif sys.stdout.isatty():
        print_letters(Screen(), rows)
    else:
        for row in rows:
            write("\t".join(row))


def print_letters(console: "Console", rows: Sequence[Row]) -> None:
    """Print each letter's name, time and reason in one line, never cut, and the message below."""
    from rich.padding import Padding
    from rich.text import Text

    for letter, failed, reason, redriven, message in rows:
        again = (f"  {redriven}", "yellow") if redriven else ""
        line = Text.assemble((letter, "bold"), f"  {failed}  ", (reason, "red"), again)
        console.print(line, soft_wrap=True)
        console.print(Padding(Text(message, style="dim", overflow="fold"), (0, 0, 0, MESSAGE_INDENT)))


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="As `dlq list` names it: topic[partition]@offset.")],
    as_json: Annotated[bool, json_option(WholeLetterRow, "letter")] = False,
) -> None:
    """Print one dead letter: where it came from, why it failed, and its original bytes.

    Examples:
        $ kascribe dlq show 'audio.references.dlq[0]@17'
    """
    from schemas.errors import ConfigurationError

    with _reader() as (_, reader):
        found = reader.find(_coordinates(letter))
    if found is None:
        raise ConfigurationError(f"there is no dead letter {letter}: `kascribe dlq list` names them")
    if as_json:
        write_json(whole_letter_row(found))
        return
    it = found.letter
    facts = {
        "origin": it.origin,
        "stage": it.stage,
        "attempt": it.attempt,
        "redrives": it.redrives,
        "reason": it.reason,
        "message": it.message,
        "key": (it.record.key or b"").decode(errors="replace"),
    }
    for name, value in facts.items():
        write(f"{name:<10}{one_line(str(value))}")
    if it.stack_trace:
        write(f"\n{it.stack_trace}")
    write(f"\n{(it.record.value or b'').decode(errors='backslashreplace')}")


@app.command()
def redrive(
    letter: Annotated[
        str | None, typer.Argument(help="One letter; otherwise all that the options select.")
    ] = None,
    reason: ReasonOption = None,
    job: JobOption = None,
    since: SinceOption = None,
    limit: LimitOption = 1_000_000,
    again: AgainOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    as_json: Annotated[bool, json_option(RedriveRow, "redrive")] = False,
) -> None:
    """Send dead letters back to their topics as new records; each goes once unless --again.

    Examples:
        $ kascribe dlq redrive 'audio.references.dlq[0]@17'
        $ kascribe dlq redrive --reason dependency_down --since 12h --dry-run
    """
    from producers.dead_letters import Redrive
    from producers.publisher import Publisher
    from schemas.clock import SystemClock

    selection = _selection(reason, job, since)
    wanted = _coordinates(letter) if letter else None
    left = 0
    with _reader() as (settings, reader), Publisher(settings.kafka) as publisher:

        def chosen() -> Iterator[DeadLetter]:
            nonlocal left
            for found in _selected(reader, selection, again=again):
                if wanted is not None and found.letter.record.coordinates != wanted:
                    continue
                if found.letter.lacks_value:
                    left += 1
                else:
                    yield found.letter

        letters = islice(chosen(), limit)
        count, refused = 0, []
        if dry_run:
            count = sum(1 for _ in letters)
        else:
            back = Redrive(settings.kafka, publisher, reader.destination, clock=SystemClock())
            done = back.send(letters)
            back.forget(reader.outdated_marks())
            count, refused = done.count, done.refused
    row = RedriveRow(redriven=count, is_dry_run=dry_run, left_without_value=left, refused=tuple(refused))
    if as_json:
        write_json(row)
    else:
        _print_redrive(row)
    for sentence in refused:
        notify(sentence)
    if refused:
        raise typer.Exit(1)


def _print_redrive(row: RedriveRow) -> None:
    write(f"{row.redriven} would be redriven" if row.is_dry_run else f"{row.redriven} redriven")
    if row.left_without_value:
        write(
            f"{row.left_without_value} left: too large for the broker, they were kept without their values; "
            "redrive or submit again what they were made of, which `kascribe dlq show` tells"
        )


@contextmanager
def _reader() -> "Iterator[tuple[Settings, DeadLetterReader]]":
    from consumers.dead_letters import DeadLetterReader
    from kascribe.commands.settings import running_system
    from schemas.kafka.topics import Topics, dead_letter_topic, topics_with_letters

    settings = running_system().settings
    topics = [dead_letter_topic(topic) for topic in topics_with_letters(Topics(settings.kafka.topic_prefix))]
    with DeadLetterReader(settings.kafka, topics) as reader:
        yield settings, reader


def _row(found: "FoundLetter") -> Row:
    letter = found.letter
    return (
        str(letter.record.coordinates),
        _moment(letter.failed_ms),
        one_line(letter.reason),
        "redriven" if found.redriven else "",
        one_line(letter.message[:MESSAGE_CHARACTERS]),
    )


def _moment(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms"  # a foreign header outside the range of dates


def _selected(reader: "DeadLetterReader", selection: Selection, *, again: bool) -> "Iterator[FoundLetter]":
    return (found for found in reader.read() if selection.includes(found.letter) and (again or not found.redriven))


def _selection(reason: Reason | None, job: str | None, since: str | None) -> Selection:
    from schemas.clock import SystemClock
    from schemas.errors import ConfigurationError
    from schemas.moments import moment_of

    since_ms = None
    if since is not None:
        try:
            since_ms = int(moment_of(since, now=SystemClock().now()).timestamp() * 1000)
        except ValueError as error:
            raise ConfigurationError(f"--since {since}: {error}") from error
    return Selection(reason=reason.value if reason else None, job_id=job, since_ms=since_ms)


def _coordinates(text: str) -> Coordinates:
    from schemas.errors import ConfigurationError

    coordinates = Coordinates.parse(text)
    if coordinates is None:
        raise ConfigurationError(
            f"{text} names no letter: write topic[partition]@offset, as `kascribe dlq list` does"
        )
    return coordinates
