"""Slices of the enrichment benchmarks on the double, and that they fail when they should."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import enrich, enrich_lengths
from tests.contract.vllm.vllm_double import MODEL, VllmDouble, running


@pytest.mark.parametrize(
    ("requests", "tokens", "enough"), [(0.9, 1.1, True), (0.89, 1.1, False), (1.1, 0.89, False)]
)
def test_too_slow_in_requests_or_in_tokens_is_too_slow(requests: float, tokens: float, enough: bool) -> None:
    """Either alone fails the benchmark."""
    assert enrich.is_enough({"requests_ratio": requests, "tokens_ratio": tokens}, 0.9) is enough


def test_both_sides_send_and_get_the_same() -> None:
    """Requests, prompt tokens and completion tokens; a comparison of anything else is refused."""
    answer = json.dumps(
        {"key_points": [{"text": "x" * enrich.TEXT_CHARACTERS, "segment_ids": [0]}] * enrich.POINTS}
    )
    with running(VllmDouble(context_tokens=enrich.CONTEXT_TOKENS, text=answer)) as double:
        found = enrich.compare(double.base_url, MODEL, count=4, rounds=2, in_flight=2)
    assert float(str(found["requests_ratio"])) > 0
    one = enrich.Measured(1, 2, 3, 1.0, 1.0)
    assert one.size != enrich.Measured(1, 2, 4, 1.0, 1.0).size


def test_one_transcript_that_is_not_valid_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All valid exits with 0; what an earlier part of the run found counts as well."""
    checkpoint = tmp_path / "outcomes.jsonl"
    arguments = ["--double", "--count", "3", "--most-words", "300", "--checkpoint", str(checkpoint)]
    assert enrich_lengths.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["valid"] == 1.0
    first, *others = map(json.loads, checkpoint.read_text(encoding="utf-8").splitlines())
    lines = (json.dumps(line) for line in ({**first, "problem": "coverage 0.5"}, *others))
    checkpoint.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert enrich_lengths.main(arguments) == 1
