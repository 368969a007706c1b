"""Slices of the benchmark on the double: what it keeps, that it resumes, and when it fails."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.enrich_quality.__main__ import main
from tests.benchmarks.enrich_quality.answers import AnswerFile
from tests.benchmarks.enrich_quality.schedule import cells
from tests.benchmarks.enrich_quality.transcripts import read_transcripts
from tests.contract.vllm.vllm_double import VllmDouble, running

CONTEXT_TOKENS = 16_384


def title_of(text: str) -> VllmDouble:
    """Return a server that answers every question with this title."""
    return VllmDouble(context_tokens=CONTEXT_TOKENS, text=json.dumps({"title": text}))


def arguments(double: VllmDouble, path: Path, *others: str) -> list[str]:
    """Return the command line for two titles."""
    chosen = ["--profiles", "title", "--transcripts", "en-memo-car", "en-memo-idea"]
    return ["--url", double.base_url, "--answers", str(path), *chosen, *others]


def test_the_transcripts_are_what_the_benchmark_promises() -> None:
    """Twenty in each language, of 3 to 25 segments, with names of their own."""
    transcripts = read_transcripts()
    by_language = [[each for each in transcripts if each.language == language] for language in ("en", "ko")]
    assert [len(each) for each in by_language] == [20, 20]
    assert all(3 <= len(each.lines) <= 25 for each in transcripts)
    assert len({each.name for each in transcripts}) == len(transcripts)
    assert len({each.kind for each in transcripts}) == 8


def test_every_beginning_of_the_order_is_balanced() -> None:
    """All cells once; each round has every profile in both languages, so a part is a fair sample."""
    profiles = ("one", "two", "three")
    ordered = list(cells(read_transcripts(), profiles))
    assert len({cell.key for cell in ordered}) == len(ordered) == 3 * 40
    for start in range(0, len(ordered), 6):
        part = ordered[start : start + 6]
        assert {(cell.profile, cell.transcript.language) for cell in part} == {
            (profile, language) for profile in profiles for language in ("en", "ko")
        }


def test_answers_are_kept_and_a_resumed_run_requests_only_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with what the model said and the tokens; a last line that was cut off is asked for again."""
    path = tmp_path / "answers.jsonl"
    with running(title_of("Launch date")) as double:
        assert main(arguments(double, path)) == 0
        kept = path.read_bytes()
        path.write_bytes(kept[:-20])
        assert main(arguments(double, path, "--resume")) == 0
        assert len(double.completion_requests) == 3
        assert main(arguments(double, path)) == 2  # without --resume it keeps its hands off the file
    assert "pass --resume" in capsys.readouterr().err
    answers = list(AnswerFile(path))
    assert [answer.profile for answer in answers] == ["title", "title"]
    (exchange,) = answers[0].exchanges
    assert json.loads(exchange["text"]) == {"title": "Launch date"}
    assert exchange["schema"]["required"] == ["title"]
    assert exchange["fence"]
    assert exchange["prompt_tokens"] > exchange["completion_tokens"] > 0


def test_a_run_of_digits_in_a_published_result_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report names the goal that is missed, and ends with 1, without a server too."""
    path = tmp_path / "answers.jsonl"
    with running(title_of("Launch on 20260309")) as double:
        main(arguments(double, path))
    lines = path.read_text(encoding="utf-8").splitlines()
    published = json.loads(lines[0])
    published["result"] = {
        "status": "completed", "output": {"title": "Launch on 20260309"}, "citations": [], "coverage": 1.0,
        "truncated": False,
    }  # fmt: skip
    path.write_text(json.dumps(published) + "\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["--answers", str(path), "--report"]) == 1
    assert "missed: 1 published results with a run of digits" in capsys.readouterr().out


def test_an_earlier_revision_answers_with_its_own_code(tmp_path: Path) -> None:
    """Its answers are kept under its commit; where it is the same code, it runs once."""
    path = tmp_path / "answers.jsonl"
    with running(title_of("Launch date")) as double:
        assert main(arguments(double, path, "--before", "HEAD", "--only", "before")) == 0
    (label,) = AnswerFile(path).trees()
    assert len(label) == 7


def test_a_server_that_is_lost_ends_the_run_and_loses_no_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says how to go on; cells without an answer are not kept as if the model had failed."""
    path = tmp_path / "answers.jsonl"
    with running(title_of("Launch date")) as double:
        double.healthy = False
        assert main(arguments(double, path, "--count", "1")) == 2
    assert "--resume continues" in capsys.readouterr().err
    assert not AnswerFile(path)


def test_no_server_is_a_clean_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option and the variable are named."""
    monkeypatch.delenv("KASCRIBE_VLLM_BASE_URL", raising=False)
    assert main(["--answers", str(tmp_path / "answers.jsonl")]) == 2
