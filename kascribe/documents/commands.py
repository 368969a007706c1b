"""The page of commands, from the commands themselves."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import typer

from kascribe.cli import app
from kascribe.console.help import description_of
from kascribe.documents.markdown import page, table

_INTRODUCTION: Final = """
Exit codes: 0 done, 1 failed, 2 wrong usage or settings. Settings that several commands share are on
[their page](settings.md); `kascribe --config FILE COMMAND` reads them from that file.

Results go to standard output; progress and warnings go to standard error. `--json` prints results as lines of
JSON, one object a line, with the fields that the option names; further fields may join them. `NO_COLOR=1` turns
colours off.

`kascribe --install-completion` teaches bash, zsh or fish to complete commands, options, languages, forms, profiles
and the names of models; `kascribe --show-completion` prints the lines that it would add.
"""


def commands_page() -> str:
    """Return the page of every command with its arguments and options."""
    sections = (_section(name, command) for name, command in _commands(typer.main.get_command(app), "kascribe"))
    return page("Commands", _INTRODUCTION, *sections)


def command_names() -> tuple[str, ...]:
    """Return every command, as it is typed after ``kascribe``."""
    commands = _commands(typer.main.get_command(app), "kascribe")
    return tuple(name.removeprefix("kascribe ") for name, _ in commands)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if getattr(command, "hidden", False):
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _section(name: str, command: Any) -> str:
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    arguments = " ".join(_argument(each) for each in shown if each.param_type_name == "argument")
    usage = f"## `{' '.join(part for part in (name, arguments) if part)}`"
    meaning, examples = description_of(command)
    shown_examples = "\n".join(("```console", *examples, "```")) if examples else ""
    rows = [(_names(each), _default(each.default), " ".join((each.help or "").split())) for each in shown]
    options = table(("", "default", "meaning"), rows) if rows else ""
    return "\n\n".join(part for part in (usage, meaning, shown_examples, options) if part)


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    more = " ..." if parameter.nargs == -1 and "…" not in name else ""
    return f"{name}{more}" if parameter.required else f"[{name}]{more}"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(value: object) -> str:
    # Paths are left out: they depend on the home directory of the user that generates the page.
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return "yes" if value is True else ""
    return f"`{value}`"
