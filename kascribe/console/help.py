"""Help of the commands: options in columns that fit a terminal of 80 columns and narrower ones, and examples.

Typer's own help gives every option a column for its type, also the flags, and at 80 columns leaves some twenty
characters to the text beside it.
"""

import inspect
from collections.abc import Iterator
from enum import Enum
from functools import partial
from typing import Any, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from kascribe.console.terminal import Screen

ARGUMENTS: Final = "Arguments"
OPTIONS: Final = "Options"
COMMANDS: Final = "Commands"
EXAMPLES: Final = "Examples:"
"""The line of a command's docstring below which its examples stand."""

NAME_COLUMNS: Final = 24
"""Width of the column of names. A longer name has its line to itself, and its meaning below."""

INDENT: Final = 2
LISTED_CHOICES_CHARACTERS: Final = 24
"""Longer lists of choices stand in the option's text."""

_TYPES: Final = {bool: "", int: "NUMBER", float: "NUMBER", str: "TEXT"}


class HelpfulGroup(TyperGroup):
    """The group of all commands. It and every command in it print this help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for command in _tree(self):
            command.format_help = partial(_print_help, command)


def description_of(command: Any) -> tuple[str, tuple[str, ...]]:
    """Return what a command does, paragraphs with an empty line between, and its examples, a line each."""
    text, _, examples = inspect.cleandoc(command.help or "").partition(EXAMPLES)
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
    return "\n\n".join(paragraphs), tuple(inspect.cleandoc("\n" + examples).splitlines())


def _tree(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _tree(inner)


def _print_help(command: Any, context: Any, _formatter: Any) -> None:
    screen = Screen()
    description, examples = description_of(command)
    screen.print(Text.assemble(("Usage: ", "yellow"), (_usage(command, context), "bold")))
    screen.print(Padding(description, (1, 0, 0, INDENT)))
    if examples:
        screen.print(_heading("Examples"))
        for example in examples:
            line, comment, meaning = example.partition("  # ")
            shown = Text.assemble((line, "cyan"), (f"{comment}{meaning}", "dim"))
            # Not wrapped, so that an example can be copied.
            screen.print(Padding(shown, (0, 0, 0, INDENT)), soft_wrap=True)
    for title, parameters in _panels(command, context).items():
        screen.print(_heading(title))
        for parameter in parameters:
            _print_row(screen, _names(parameter), _meaning(parameter, context))
    commands = getattr(command, "commands", {})
    if commands:
        screen.print(_heading(COMMANDS))
        for name, inner in commands.items():
            if not inner.hidden:
                _print_row(screen, Text(name, "bold cyan"), Text(_summary(inner)))


def _usage(command: Any, context: Any) -> str:
    arguments = [
        f"{_argument(parameter)}" if parameter.required else f"[{_argument(parameter)}]"
        for parameter in command.params
        if parameter.param_type_name == "argument" and not parameter.hidden
    ]
    last = "COMMAND ..." if hasattr(command, "commands") else " ".join(arguments)
    return " ".join(part for part in (context.command_path, "[OPTIONS]", last) if part)


def _heading(title: str) -> Padding:
    return Padding(Text(f"{title}:", "yellow"), (1, 0, 0, 0))


def _panels(command: Any, context: Any) -> dict[str, list[Any]]:
    """Return arguments, the options of each panel, then those without one."""
    panels: dict[str, list[Any]] = {ARGUMENTS: []}
    for parameter in command.get_params(context):
        if not getattr(parameter, "hidden", False):
            usual = ARGUMENTS if parameter.param_type_name == "argument" else OPTIONS
            panels.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(parameter)
    others = panels.pop(OPTIONS, [])
    return {title: parameters for title, parameters in {**panels, OPTIONS: others}.items() if parameters}


def _print_row(screen: Screen, names: Text, meaning: Text) -> None:
    if names.cell_len > NAME_COLUMNS:
        screen.print(Padding(names, (0, 0, 0, INDENT)), soft_wrap=True)
        names = Text()
    table = Table.grid(padding=(0, INDENT, 0, 0))
    table.add_column(width=NAME_COLUMNS)
    table.add_column(ratio=1, overflow="fold")
    table.add_row(names, meaning)
    screen.print(Padding(table, (0, 0, 0, INDENT)))


def _names(parameter: Any) -> Text:
    if parameter.param_type_name == "argument":
        return Text(_argument(parameter), "bold cyan")
    names = Text(", ", "dim").join(
        Text(name, "bold cyan" if name.startswith("--") else "bold green")
        for name in sorted((*parameter.opts, *parameter.secondary_opts), key=lambda name: len(name) != 2)
    )
    value = _value(parameter)
    return Text.assemble(names, f" {value}" if value else "")


def _argument(parameter: Any) -> str:
    name: str = parameter.metavar or parameter.name.upper()
    return f"{name}..." if parameter.nargs == -1 and "…" not in name else name


def _value(parameter: Any) -> str:
    """Return the name of an option's value; empty for a flag."""
    if parameter.is_flag:
        return ""
    if parameter.metavar:
        return str(parameter.metavar)
    described = parameter.type_descriptor
    choices = "|".join(_choices(parameter))
    if choices:
        return choices if len(choices) <= LISTED_CHOICES_CHARACTERS else parameter.name.upper()
    if described.is_path:
        return "FOLDER" if described.path_type == "dir" else "FILE"
    return _TYPES.get(described.annotation, "TEXT")


def _choices(parameter: Any) -> list[str]:
    choices = parameter.type_descriptor.choices or ()
    return [str(choice.value if isinstance(choice, Enum) else choice) for choice in choices]


def _meaning(parameter: Any, context: Any) -> Text:
    choices = _choices(parameter)
    listed = f" One of {', '.join(choices)}." if len("|".join(choices)) > LISTED_CHOICES_CHARACTERS else ""
    meaning = Text(" ".join(f"{parameter.help or ''}{listed}".split()))
    for note in (_range(parameter), _default(parameter, context), _variable(parameter)):
        if note:
            meaning.append(f" [{note}]", "dim")
    if parameter.required:
        meaning.append(" [required]", "red")
    return meaning


def _range(parameter: Any) -> str:
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if least is None or (most is None and least <= 1):
        return ""
    return f"{least} to {most}" if most is not None else f"at least {least}"


def _default(parameter: Any, context: Any) -> str:
    if not parameter.show_default or parameter.default in (None, False, ()):
        return ""
    value = parameter.get_default(context, call=False)
    text = parameter._get_default_string(ctx=context, show_default_is_str=False, default_value=value)  # noqa: SLF001
    return f"default: {text}" if text else ""


def _variable(parameter: Any) -> str:
    return f"or {parameter.envvar}" if parameter.envvar and parameter.show_envvar else ""


def _summary(command: Any) -> str:
    """Return the first sentence of what a command does."""
    return description_of(command)[0].partition("\n\n")[0]
