"""``kascribe enrich`` on files and on finished jobs, with a language model double."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kascribe.commands.enriching.enrich import enrich
from producers.results import ResultStore
from schemas.errors import ConfigurationError, InvalidOptions
from schemas.events import TranscriptEvent
from schemas.kafka.records import Coordinates
from schemas.kafka.wire import decode
from schemas.options import ExportFormat
from schemas.results import StoredJob
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Segment
from tests.contract.enricher.enrich_jobs import transcript_of, transcript_record
from tests.contract.enricher.transcripts import spoken
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.support.object_store import ObjectStore

app = typer.Typer()
app.command()(enrich)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[VllmDouble]:
    """Return a server that the settings name, and no other settings."""
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
    assert "[0] We meet on Tuesday.\n[1] Bring the lamp." in double.completion_requests[0].prompt


def test_an_answer_that_was_cut_off_says_so(double: VllmDouble, tmp_path: Path) -> None:
    """With the server's own word for how it ended."""
    path = tmp_path / "call.txt"
    path.write_text("We meet on Tuesday.\n", encoding="utf-8")
    double.text = " ".join(f"word{number}" for number in range(2_000))
    result = CliRunner().invoke(app, [str(path), "--instruction", "Say it."])
    assert result.exit_code == 0, result.output
    assert "instruction: completed, 100% of the segments seen, words may be missing (length)" in result.stdout


def test_a_transcript_file_gives_json_for_programs(double: VllmDouble, tmp_path: Path) -> None:
    """``--json`` prints one object and nothing else: the results, the model that made them, and their usage."""
    path = tmp_path / "call.json"
    path.write_text(transcript_of(spoken(30), language="en").model_dump_json(), encoding="utf-8")
    arguments = [str(path), "--json", "--profile", "title", "--profile", "topics", "--instruction", "요약해주세요"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [entry["profile"] for entry in document["results"]] == ["title", "topics", "instruction"]
    assert (document["model"], document["usage"]["requests"]) == ("double", 3)
    assert document["usage"]["prompt_tokens"] > 0
    assert document["total_seconds"] > 0
    assert "Answer in its language (en)." in double.completion_requests[0].prompt


def test_the_language_of_the_answer_can_be_chosen(double: VllmDouble, tmp_path: Path) -> None:
    """Whatever was spoken."""
    path = tmp_path / "call.txt"
    path.write_text("We meet on Tuesday.", encoding="utf-8")
    assert CliRunner().invoke(app, [str(path), "--profile", "title", "--language", "Korean"]).exit_code == 0
    assert double.completion_requests[0].prompt.endswith("Answer in Korean.")


@pytest.mark.parametrize("form", [ExportFormat.VERBOSE_JSON, ExportFormat.JSON])
def test_an_export_is_read_as_what_it_says(form: ExportFormat, double: VllmDouble, tmp_path: Path) -> None:
    """The words of OpenAI's forms, and not their JSON; those with segments keep them."""
    segments = [Segment(id=0, start=0, end=1, text="We meet."), Segment(id=1, start=1, end=2, text="Bring it.")]
    path = tmp_path / "call.json"
    path.write_text(EXPORTERS[form].render(transcript_of(segments), SubtitleSettings()), encoding="utf-8")
    result = CliRunner().invoke(app, [str(path), "--profile", "title"])
    assert result.exit_code == 0, result.output
    said = double.completion_requests[0].prompt.split("=====")[2].strip()
    assert said == (
        "[0] We meet.\n[1] Bring it." if form is ExportFormat.VERBOSE_JSON else "[0] We meet. Bring it."
    )


@pytest.mark.parametrize("text", ['{"results": {"channels": []}}', '[{"start": 0}]', '{"text": 5}'])
def test_other_json_is_refused(text: str, double: VllmDouble, tmp_path: Path) -> None:
    """Its braces and quotes are no answer."""
    path = tmp_path / "call.json"
    path.write_text(text, encoding="utf-8")
    error = CliRunner().invoke(app, [str(path)]).exception
    assert isinstance(error, ConfigurationError)
    assert "verbose_json" in str(error)
    assert double.completion_requests == []


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_answer_that_is_not_valid_exits_with_1(
    form: tuple[str, ...], double: VllmDouble, tmp_path: Path
) -> None:
    """After the others were printed, so that a script notices."""
    double.faults_by_name["title"] = Fault.WRONG_SHAPE
    path = tmp_path / "call.txt"
    path.write_text("We meet on Tuesday.", encoding="utf-8")
    result = CliRunner().invoke(app, [str(path), "--profile", "title", "--profile", "topics", *form])
    assert result.exit_code == 1
    assert "invalid" in result.stdout
    assert "completed" in result.stdout


def test_a_second_prompt_on_a_job_does_not_pay_for_its_notes_again(
    double: VllmDouble, moto_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are kept in the bucket, where the enricher keeps and finds them too."""
    settings = moto_store.settings()
    monkeypatch.setenv("KASCRIBE_S3_ENDPOINT_URL", moto_store.endpoint_url)
    monkeypatch.setenv("KASCRIBE_S3_BUCKET", settings.bucket)
    results = ResultStore(settings, client=moto_store.client)
    uri = results.put_transcript("content", transcript_of(spoken(900)))
    event = decode(transcript_record(uri), TranscriptEvent)
    owner = Coordinates(topic="audio.references", partition=0, offset=0)
    results.create_job(StoredJob(job_id=event.job_id, owner=owner, content_key="content", event=event))
    double.context_tokens = 512
    for instruction, asked in (("One.", {"notes", "merge", "instruction"}), ("Two.", {"instruction"})):
        double.requests.clear()
        result = CliRunner().invoke(app, [event.job_id, "--instruction", instruction])
        assert result.exit_code == 0, result.output
        assert {request.name for request in double.completion_requests} == asked


@pytest.mark.usefixtures("double")
def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    """An unknown profile, and a file that is no text."""
    text, binary = tmp_path / "call.txt", tmp_path / "call.bin"
    text.write_text("hello", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    assert isinstance(CliRunner().invoke(app, [str(text), "--profile", "poetry"]).exception, InvalidOptions)
    assert isinstance(CliRunner().invoke(app, [str(binary)]).exception, ConfigurationError)
