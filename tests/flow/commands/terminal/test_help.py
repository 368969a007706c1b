"""Help: what a person reads before anything runs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner

from kascribe.cli import app
from kascribe.console.help import description_of
from kascribe.documents.commands import command_names


def help_of(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines that ``--help`` prints on a terminal of this width."""
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = CliRunner().invoke(app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    return [line.rstrip() for line in shown.output.splitlines()]


def command_of(name: str) -> Any:
    """Return a command by what is typed after ``kascribe``."""
    command: Any = typer.main.get_command(app)
    for part in name.split():
        command = command.commands[part]
    return command


def examples() -> Iterator[tuple[str, str]]:
    """Yield each command with each of its examples."""
    for name in command_names():
        for example in description_of(command_of(name))[1]:
            yield name, example


@pytest.mark.parametrize("name", ["", *command_names()])
def test_help_fits_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No option is cut or folded, and none shows the name of a Python type."""
    lines = help_of(name, 80, monkeypatch)
    assert [line for line in lines if cell_len(line) > 80] == []
    assert [line for line in lines if re.search(r"--[a-z-]*…|<[a-z]+>", line)] == []
    options = {match for line in lines for match in re.findall(r"^  .*?(--[a-z-]+)", line)}
    assert {option for parameter in shown(name) for option in long_options(parameter)[:1]} <= options


def shown(name: str) -> list[Any]:
    """Return the options of a command that are not hidden."""
    return [
        each
        for each in command_of(name).params
        if each.param_type_name == "option" and not getattr(each, "hidden", False)
    ]


def long_options(parameter: Any) -> list[str]:
    """Return the long forms of an option."""
    return [option for option in parameter.opts if option.startswith("--")]


@pytest.mark.parametrize("name", ["submit", "dlq list"])
def test_help_is_readable_on_a_narrow_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is copied, usage and examples, goes beyond it."""
    copied = ("Usage:", "  $ ", "  --", "  FILE|")
    wide = [line for line in help_of(name, 50, monkeypatch) if cell_len(line) > 50 and not line.startswith(copied)]
    assert wide == []


@pytest.mark.parametrize("name", command_names())
def test_every_command_has_an_example(name: str) -> None:
    """A reader sees how it is typed; what it does stands above."""
    description, lines = description_of(command_of(name))
    assert description
    assert any(f"kascribe {name}" in line for line in lines)


@pytest.mark.parametrize(("name", "example"), list(examples()))
def test_examples_name_options_that_exist(name: str, example: str) -> None:
    """And fit a terminal of 80 columns."""
    assert cell_len(f"  {example}") <= 80
    typed = example.partition("  # ")[0].partition(f"kascribe {name}")[2].partition(" | ")[0]
    known = {
        option for parameter in command_of(name).params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", typed)) <= known


def test_help_needs_no_client_of_a_server() -> None:
    """Their imports take longer than everything else that help needs."""
    heavy = "boto3", "confluent_kafka", "ctranslate2", "fastapi", "numpy", "sqlalchemy"
    program = f"import sys, kascribe.cli; print([name for name in {heavy!r} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"
