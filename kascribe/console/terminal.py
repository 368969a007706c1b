"""What goes out to a terminal. The only module of the command line that prints.

Names, transcripts, dead letters and errors come from anywhere. What in them would steer a terminal is shown as the
escape that JSON has for it, so that JSON stays JSON; and no text is taken for rich's markup.
"""

import json
import re
import sys
import traceback
from collections.abc import Iterable
from typing import Any, Final

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
    """The text with all that would steer a terminal as JSON's escapes; tabs and new lines stay. Safe to repeat."""
    return _STEERING.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same for a text that must not begin a line of its own, such as a file's name."""
    return _BREAKS.sub(_escaped, visible(text))


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def write(text: str = "") -> None:
    """What a command was asked for, to standard output and at once. A file or a pipe gets it as it is."""
    print(visible(text) if sys.stdout.isatty() else text, flush=True)


def notify(sentence: str = "", *, end: str = "\n") -> None:
    """What a person should know beside that, to standard error."""
    print(visible(sentence), end=end, file=sys.stderr, flush=True)


def print_traceback(error: BaseException) -> None:
    """The traceback of a defect, to standard error: its message may hold any text."""
    notify("".join(traceback.format_exception(error)), end="")


class Screen(Console):
    """A console on which text is text: what it renders cannot steer the terminal, and is not read as markup."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Everything that is printed or drawn comes through here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def print_table(console: Console, table: Table) -> None:
    """A table that is wider than the terminal where columns that must not wrap need it: no name is cut."""
    needed = console.measure(table, options=console.options.update_width(UNLIMITED_COLUMNS)).minimum
    console.width = max(console.width, needed)
    console.print(table, crop=False)


def bars(*columns: ProgressColumn) -> Progress:
    """Progress bars on standard error, which vanish at the end.

    Standard output is not theirs: rich would else print there what was meant for a file.
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
