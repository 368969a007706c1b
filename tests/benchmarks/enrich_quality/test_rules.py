"""The benchmark's rules find planted faults, and find none where there are none."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.benchmarks.enrich_quality.answers import Answer
from tests.benchmarks.enrich_quality.judging import FAULTS, Counts, counts_of
from tests.benchmarks.enrich_quality.transcripts import Transcript
from tests.benchmarks.enrich_quality.waste import Waste, waste_of
from tests.benchmarks.enrich_quality.words import has_loop, holds, is_in, numbers

FENCE = "0a1b2c3d4e5f"
TALK = Transcript(
    "talk",
    "en",
    "meeting",
    ("The report is due on 12 May, says Anna.", "Tom writes the second chapter.", "We meet again on Monday."),
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["points"],
    "properties": {
        "points": {
            "type": "array",
            "maxItems": 4,
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "maxLength": 60},
                    "owner": {"type": ["string", "null"], "maxLength": 20},
                    "segment_ids": {"type": "array", "items": {"type": "integer"}},
                },
            },
        }
    },
}
GOOD: list[dict[str, Any]] = [
    {"text": "The report is due on 12 May.", "segment_ids": [0]},
    {"text": "Tom writes the second chapter.", "segment_ids": [1], "owner": "Tom"},
]


def judged(
    points: list[dict[str, Any]], *, transcript: Transcript = TALK, finish: str = "stop", flags: Sequence[str] = ()
) -> Counts:
    """Judge a published result with these points."""
    output = {"points": points}
    exchange = {
        "name": "points", "schema": SCHEMA, "fence": FENCE, "text": json.dumps(output), "finish_reason": finish,
        "prompt_tokens": 100, "completion_tokens": 40,
    }  # fmt: skip
    citations = sorted({number for point in points for number in point.get("segment_ids", ())})
    result = {
        "status": "completed", "output": output, "truncated": False, "coverage": 1.0, "citations": citations,
        "flags": flags,
    }  # fmt: skip
    answer = Answer("tree", transcript.name, "points", SCHEMA, 1.0, [exchange], "model", result)
    return counts_of(answer, transcript)


def test_a_good_answer_has_no_fault() -> None:
    """Every fault is zero, and what is good is counted."""
    counts = judged(GOOD)
    assert {fault: counts[fault] for fault in FAULTS if counts[fault]} == {}
    assert counts["faultless"] == counts["raw_valid"] == 1
    assert counts["claims_supported"] == counts["claims_cited"] == counts["claims"] == 2


@pytest.mark.parametrize(
    ("fault", "points"),
    [
        ("invalid_json", [{"text": 5, "segment_ids": [0]}]),
        ("fenced", [{"text": f"The report ={FENCE}", "segment_ids": [0]}]),
        ("fenced", [{"text": "====", "segment_ids": [0]}]),
        ("digit_runs", [{"text": "The report 12345678", "segment_ids": [0]}]),
        ("digit_runs", [{"text": "The report", "segment_ids": [123456789]}]),
        ("looped", [{"text": "the report the report the report", "segment_ids": [0]}]),
        ("duplicated", [GOOD[0], {**GOOD[0], "segment_ids": [1]}]),
        ("other_language", [{"text": "보고서는 오월입니다.", "segment_ids": [0]}]),
        ("other_language", [{"text": "El informe sobre los capitulos termina el lunes", "segment_ids": [0]}]),
        ("empty", []),
        ("empty", [{"text": "a", "owner": "n", "segment_ids": [0]}]),
        ("cut", [{"text": "The report is due on 12 May, says Anna, and Tom writes the s", "segment_ids": [0]}]),
        ("cut", [{"text": each, "segment_ids": [0]} for each in ("report", "due", "May", "Anna")]),
        ("invented", [{"text": "The report is due on 13 May.", "segment_ids": [0]}]),
        ("invented", [{"text": "The report is due.", "segment_ids": [0], "owner": "Alejandro"}]),
        ("invented", [{"text": "Berlin", "kind": "place", "segment_ids": [0]}]),
        ("uncited", [{"text": "The report is due on 12 May.", "segment_ids": []}]),
        ("uncited", [{"text": "The report is due on 12 May.", "segment_ids": [7]}]),
        ("unsupported", [{"text": "The report is due on 12 May.", "segment_ids": [2]}]),
    ],
)
def test_a_planted_fault_is_found(fault: str, points: list[dict[str, Any]]) -> None:
    """Each by its own rule; the result does not pass."""
    counts = judged(points)
    assert counts[fault] == 1
    assert counts["faultless"] == 0


def test_a_faulty_result_is_unmarked_unless_it_says_so() -> None:
    """A flag, a doubt or truncated tell the reader; a good result needs none."""
    assert judged([])["unmarked"] == 1
    assert judged([], flags=["empty"])["unmarked"] == judged(GOOD)["unmarked"] == 0


def test_an_answer_at_the_token_limit_is_cut_off() -> None:
    """Whatever its text looks like."""
    assert judged(GOOD, finish="length")["cut_untold"] == 1


def test_an_error_that_reaches_the_caller_is_a_result_without_output() -> None:
    """A job whose only profile is invalid ends in an error; it counts as invalid, and its tokens count too."""
    exchange = {
        "name": "points", "schema": SCHEMA, "fence": FENCE, "text": "{", "finish_reason": "length",
        "prompt_tokens": 100, "completion_tokens": 40,
    }  # fmt: skip
    problem = {"type": "EnrichmentInvalid", "message": "no answer"}
    counts = counts_of(Answer("tree", "talk", "points", SCHEMA, 1.0, [exchange] * 3, error=problem), TALK)
    assert counts["status invalid"] == counts["unpublished"] == 1
    assert (counts["raw"], counts["raw_valid"], counts["completion_tokens"]) == (3, 0, 120)


def test_korean_is_judged_as_english_is() -> None:
    """Particles at the end of words do not matter to support; English words make it another language."""
    talk = Transcript("talk", "ko", "meeting", ("예산은 오백만 원을 넘지 않도록 합시다.", "다음 주에 만납시다."))
    good = [{"text": "예산이 오백만 원을 넘지 않게 한다.", "segment_ids": [0]}]
    assert judged(good, transcript=talk)["faultless"] == 1
    assert judged([{"text": "The budget is limited.", "segment_ids": [0]}], transcript=talk)["other_language"] == 1


def test_speech_that_repeats_a_word_is_no_loop() -> None:
    """Three short words are; a sentence thrice, or a phrase thrice in a row, is a loop."""
    assert not has_loop("No, no, no, that is very, very good. Yes. Yes. Yes.")
    assert has_loop("It is late now. We go home. It is late now. They stay. It is late now.")
    assert has_loop("and then and then and then")


def test_numbers_are_compared_by_their_digits() -> None:
    """Separators do not matter."""
    assert numbers("12,000 euros at 9:30 in 2 days") == {"12000", "930", "2"}
    assert holds("It costs 12,000 euros.", "12000 euros")


def test_a_language_is_known_by_script_and_function_words() -> None:
    """Short texts and names pass; nothing to judge passes as well."""
    assert is_in("en", ["Launch date"])
    assert is_in("en", ["12", ""])
    assert is_in("ko", ["A4 용지 열 상자"])
    assert not is_in("ko", ["Paper order"])


def test_tokens_are_wasted_in_digits_loops_and_tails() -> None:
    """A digit is a token; of a loop, the first time is not wasted; a sentence that ends is not a tail."""
    assert waste_of('{"points":[]}', 5, SCHEMA, is_cut=False) == Waste()
    digits = waste_of('{"points":[{"segment_ids":[' + "1" * 500, 520, SCHEMA, is_cut=True)
    assert digits.digits == 500
    looped = waste_of("Good day. " + "la la la la " * 8, 106, None, is_cut=False)
    assert looped.loops == pytest.approx(84, abs=10)
    tail = waste_of("We meet on Monday. And then we", 30, None, is_cut=True)
    assert tail.tail == 12
