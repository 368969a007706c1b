"""What the README tells people to type exists."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from kascribe.cli import app
from schemas.settings.catalogue import by_environment_name

ROOT = Path(__file__).parents[3]
READMES = ("README.md", "README.ko.md")


def typed(name: str, program: str) -> list[str]:
    """Return the lines of console blocks that begin with a program, without comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = (line for block in blocks for line in block.splitlines())
    return [line.removeprefix("$ ") for line in lines if line.startswith(f"$ {program} ")]


@pytest.mark.parametrize("name", READMES)
def test_every_command_parses(name: str) -> None:
    """Each ``kascribe`` line of the README is a command with options and arguments that it takes."""
    lines = typed(name, "kascribe")
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        command = get_command(app)
        context = typer.Context(command, info_name="kascribe")
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        existing = [str(ROOT / "README.md") if word == "meeting.m4a" else word for word in words]
        command.make_context(line, existing, parent=context)


@pytest.mark.parametrize("name", READMES)
def test_every_target_exists(name: str) -> None:
    """Each ``make`` line of the README names a target of the Makefile."""
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    asked = [shlex.split(line, comments=True)[1] for line in typed(name, "make")]
    assert asked
    assert set(asked) <= set(targets)


@pytest.mark.parametrize("name", READMES)
def test_every_setting_and_link_exists(name: str) -> None:
    """Each ``KASCRIBE_*`` name is a setting, a property or a secret's file; each local link leads somewhere."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for setting in set(re.findall(r"KASCRIBE_[A-Z0-9_]+", text)):
        known = setting.removesuffix("_FILE") in by_environment_name()
        assert known or setting.startswith("KASCRIBE_KAFKA_SASL"), setting
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / link).exists(), link


def test_both_languages_name_the_same_things() -> None:
    """Commands, settings, topics and fields in the text, and the pages that it leads to."""
    english, korean = ((ROOT / name).read_text(encoding="utf-8") for name in READMES)
    assert _code(korean) == _code(english)
    assert _links(korean) == _links(english)


def _code(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


def _links(text: str) -> set[str]:
    """Return the links of a README, each by the name of its English page or picture."""
    links = set(re.findall(r"\]\(([^)]+)\)", text)) - set(READMES)
    return {re.sub(r"[.-]ko(?=\.)", "", link) for link in links}
