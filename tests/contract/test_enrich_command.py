"""``kascribe enrich`` on files and on finished jobs, with a language model double."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kascribe.commands.enrich import enrich
from schemas.errors import ConfigurationError, InvalidOptions
from tests.contract.enrich_jobs import transcript_of
from tests.contract.transcripts import spoken
from tests.contract.vllm_double import VllmDouble, running

app = typer.Typer()
app.command()(enrich)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[VllmDouble]:
    """A server that the settings name, and no other settings."""
    monkeypatch.chdir(tmp_path)
    with running(VllmDouble(context_tokens=4_096)) as server:
        monkeypatch.setenv("KASCRIBE_VLLM_BASE_URL", server.base_url)
        yield server


def test_a_text_file_is_summarised_unless_asked_otherwise(double: VllmDouble, tmp_path: Path) -> None:
    """Each line is a segment; the answer streams to stderr, the checked result is printed."""
    path = tmp_path / "call.txt"
    path.write_text("We meet on Tuesday.\n\nBring the lamp.\n", encoding="utf-8")
    result = CliRunner().invoke(app, [str(path)])
    assert result.exit_code == 0, result.output
    assert "summary: completed, 100% of the segments seen" in result.stdout
    assert "[summary]" in result.stderr
    assert "[0] We meet on Tuesday.\n[1] Bring the lamp." in double.asked[0].prompt


def test_a_transcript_file_gives_json_for_programs(double: VllmDouble, tmp_path: Path) -> None:
    """``--json`` prints the results and nothing else; several profiles and an instruction at once."""
    path = tmp_path / "call.json"
    path.write_text(transcript_of(spoken(30), language="ko").model_dump_json(), encoding="utf-8")
    arguments = [str(path), "--json", "--profile", "title", "--profile", "topics", "--instruction", "요약해주세요"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert [entry["profile"] for entry in json.loads(result.stdout)] == ["title", "topics", "instruction"]
    assert "Answer in its language (ko)." in double.asked[0].prompt


def test_the_language_of_the_answer_can_be_chosen(double: VllmDouble, tmp_path: Path) -> None:
    """Whatever was spoken."""
    path = tmp_path / "call.txt"
    path.write_text("We meet on Tuesday.", encoding="utf-8")
    assert CliRunner().invoke(app, [str(path), "--profile", "title", "--language", "Korean"]).exit_code == 0
    assert double.asked[0].prompt.endswith("Answer in Korean.")


@pytest.mark.usefixtures("double")
def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    """An unknown profile, and a file that is no text."""
    text, binary = tmp_path / "call.txt", tmp_path / "call.bin"
    text.write_text("hello", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    assert isinstance(CliRunner().invoke(app, [str(text), "--profile", "poetry"]).exception, InvalidOptions)
    assert isinstance(CliRunner().invoke(app, [str(binary)]).exception, ConfigurationError)
