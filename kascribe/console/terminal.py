"""Output to the terminal. The only module of the command line that prints.

Names, transcripts, dead letters and errors come from anywhere. Control characters in them are shown as the escapes
of JSON, so that JSON stays JSON; and no text is read as rich's markup.
"""

import json
import re
import sys
import traceback
from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import Progress, ProgressColumn
from rich.segment import Segment
from rich.table import Table

UNLIMITED_COLUMNS: Final = 10_000

_STEERING: Final = re.compile(
    # C0, DEL and C1 but for tabs and new lines; line separators; bidirectional embeddings, overrides and isolates;
    # lone surrogates, which cannot be written; tags, which cannot be seen.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
_BREAKS: Final = re.compile("[\t\n]")


def visible(text: str) -> str:
    """Escape the characters that control a terminal, as JSON does; tabs and new lines stay. Safe to repeat."""
    return _STEERING.sub(_escaped, text)


def one_line(text: str) -> str:
    """Escape tabs and new lines as well, for a text within a line, such as a file's name."""
    return _BREAKS.sub(_escaped, visible(text))


def fitted(text: str, columns: int) -> str:
    """Return a text within a line, cut to a width if it is wider."""
    shown = one_line(text)
    return shown if cell_len(shown) <= columns else f"{set_cell_size(shown, columns - 1)}…"


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def write(text: str = "") -> None:
    """Write a command's result to standard output, unbuffered. A file or a pipe gets it unescaped."""
    print(visible(text) if sys.stdout.isatty() else text, flush=True)


def write_json(row: BaseModel) -> None:
    """Write one line of JSON to standard output."""
    write(json.dumps(row.model_dump(mode="json"), ensure_ascii=False))


def notify(sentence: str = "", *, end: str = "\n") -> None:
    """Write a sentence for the user to standard error, beside the result."""
    print(visible(sentence), end=end, file=sys.stderr, flush=True)


def print_traceback(error: BaseException) -> None:
    """Write the traceback of a defect to standard error, escaped: its message may contain any text."""
    notify("".join(traceback.format_exception(error)), end="")


class Screen(Console):
    """A console that escapes what it renders and reads no markup."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render with control characters escaped. Everything that is printed or drawn comes through here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def print_table(console: Console, table: Table) -> None:
    """Print a table, wider than the terminal where columns that must not wrap need it: no name is cut."""
    needed = console.measure(table, options=console.options.update_width(UNLIMITED_COLUMNS)).minimum
    console.width = max(console.width, needed)
    console.print(table, crop=False)


def bars(*columns: ProgressColumn) -> Progress:
    """Return progress bars on standard error, which vanish at the end.

    Standard output is not redirected: rich would otherwise print there what was meant for a file.
    """
    screen = Screen(stderr=True)
    return Progress(
        *columns,
        console=screen,
        disable=not screen.is_terminal,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
