"""A slice of the benchmark on a real small model."""

from pathlib import Path

import pytest

from deploy.vllm.server import VllmServer
from tests.benchmarks.enrich_quality.__main__ import main
from tests.benchmarks.enrich_quality.answers import AnswerFile
from tests.benchmarks.enrich_quality.judging import counts_of
from tests.benchmarks.enrich_quality.transcripts import read_transcripts

TRANSCRIPTS = ("en-memo-car", "ko-memo-weekend")
PROFILES = ("title", "sentiment")


def test_a_real_model_answers_in_valid_json_and_the_table_says_so(
    real_vllm: VllmServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the model writes: what is published matches its schema, and every answer is judged."""
    path = tmp_path / "answers.jsonl"
    arguments = ["--url", real_vllm.base_url, "--answers", str(path), "--transcripts", *TRANSCRIPTS]
    assert main([*arguments, "--profiles", *PROFILES]) != 2
    known = {transcript.name: transcript for transcript in read_transcripts()}
    answers = list(AnswerFile(path))
    assert {answer.key for answer in answers} == {(name, each) for name in TRANSCRIPTS for each in PROFILES}
    for answer in answers:
        counts = counts_of(answer, known[answer.transcript])
        assert counts["invalid_json"] == 0
        assert counts["published"] + counts["status invalid"] == 1
        assert counts["completion_tokens"] > 0
    printed = capsys.readouterr().out
    assert "| published results: valid JSON " in printed
    assert "ko, by profile" in printed.replace(f", {answers[0].tree}", "")
