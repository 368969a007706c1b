"""What one answer is worth, in counts that add up: the benchmark's own rules, applied to the kept answers.

Judging needs no server, so a file of answers can be judged again when a rule changes.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from tests.benchmarks.enrich_quality.answers import Answer
from tests.benchmarks.enrich_quality.recorder import Exchange
from tests.benchmarks.enrich_quality.shapes import (
    at_bound,
    choices,
    cited,
    claims,
    is_valid,
    objects,
    parsed,
    strings,
)
from tests.benchmarks.enrich_quality.transcripts import Transcript
from tests.benchmarks.enrich_quality.waste import waste_of
from tests.benchmarks.enrich_quality.words import (
    DIGIT_RUN,
    FENCE_RUN,
    content_stems,
    ends_complete,
    folded,
    has_loop,
    holds,
    is_in,
    numbers,
)

TRANSLATION: Final = "translation"
"""The profile whose result is in the language that it names; its numbers may be written in another way."""
QUOTED_FIELDS: Final = ("owner", "due")
"""Fields that repeat what was said; so does the text of an entity."""
FAULTS: Final = (
    "unpublished", "invalid_json", "fenced", "digit_runs", "looped", "duplicated", "other_language", "empty",
    "cut", "invented", "uncited", "unsupported",
)  # fmt: skip
"""Counts of results; one that is in none of them has no fault that the rules find."""
MARKS: Final = ("truncated", "doubted", "flagged")
"""What tells a reader that something may be wrong with a published result."""

Counts = Counter[str]


def counts_of(answer: Answer, transcript: Transcript) -> Counts:
    """Judge an answer."""
    counts = Counter({"results": 1, f"status {_status(answer)}": 1})
    counts["milliseconds"] = round(1_000 * answer.seconds)
    for exchange in answer.exchanges:
        counts.update(_of_exchange(exchange))
    result = answer.result
    if result and result["status"] == "skipped":
        counts["results"] = 0  # there was nothing to do, as for a translation into the language that is spoken
        return counts
    if result is None or result["status"] != "completed":
        counts["unpublished"] = 1
    else:
        counts["published"] = 1
        counts.update(_of_result(result, answer, transcript))
    counts["faultless"] = int(not any(counts[fault] for fault in FAULTS))
    counts["faulty"] = counts["published"] and 1 - counts["faultless"]
    counts["unmarked"] = int(counts["faulty"] and not any(counts[mark] for mark in MARKS))
    return counts


def _status(answer: Answer) -> str:
    if answer.result is None:
        # With one profile for a job, a result that is invalid reaches the caller as an error.
        kind = (answer.error or {}).get("type", "none")
        return "invalid" if kind == "EnrichmentInvalid" else kind
    return str(answer.result["status"])


def _of_exchange(exchange: Exchange) -> Counts:
    counts = Counter({"requests": 1})
    counts.update({key: exchange[key] for key in ("prompt_tokens", "completion_tokens")})
    text, schema = exchange["text"], exchange["schema"]
    if text is None:
        counts["refused"] = 1
        return counts
    is_cut = exchange["finish_reason"] != "stop"
    counts["raw_cut"] = int(is_cut)
    counts["raw_fenced"] = int(_has_fence(text, [exchange]))
    counts["raw_looped"] = int(any(has_loop(string) for string in strings(parsed(text))))
    if schema:
        counts["raw"] = 1
        counts["raw_valid"] = int(is_valid(parsed(text), schema))
    waste = waste_of(text, exchange["completion_tokens"], schema, is_cut=is_cut)
    counts["waste_digits"], counts["waste_loops"] = round(waste.digits), round(waste.loops)
    counts["waste_tail"] = round(waste.tail)
    return counts


def _of_result(result: dict[str, Any], answer: Answer, transcript: Transcript) -> Counts:
    output, schema = result["output"], answer.schema or {}
    texts = list(strings(output, choices(schema)))
    whole = "\n".join(texts)
    counts = Counter(
        truncated=int(result["truncated"]),
        doubts=len(result.get("doubts") or ()),
        doubted=int(bool(result.get("doubts"))),
        has_doubts=int("doubts" in result),
        flagged=int(bool(result.get("flags"))),
        coverage_percent=round(100 * result["coverage"]),
        cited_percent=round(100 * len(set(result["citations"])) / len(transcript.lines)),
        invalid_json=int(bool(schema) and not is_valid(output, schema)),
        fenced=int(_has_fence(whole, answer.exchanges)),
        digit_runs=int(bool(DIGIT_RUN.search(whole)) or any(_is_run(each) for each in _numbers(output))),
        looped=int(any(map(has_loop, texts))),
        duplicated=int(_has_duplicates(output)),
        empty=int(not any(map(content_stems, texts))),
        cut=int(_is_cut(answer, with_ids=False)),
        invented=int(answer.profile != TRANSLATION and _invents(output, transcript)),
    )
    counts["cut_untold"] = int(_is_cut(answer, with_ids=True) and not result["truncated"])
    language = output["language"] if answer.profile == TRANSLATION else transcript.language
    counts["other_language"] = int(not is_in(language, texts))
    counts.update(_of_claims(output, transcript))
    counts.update(_of_raw_citations(answer, transcript))
    return counts


def _of_claims(output: Any, transcript: Transcript) -> Counts:
    """Count claims: cited, supported by what they cite, held by the transcript at all."""
    counts: Counts = Counter()
    for claim in claims(output):
        said = " ".join(strings({key: each for key, each in claim.items() if key not in ("kind", "sentiment")}))
        lines = [transcript.lines[number] for number in cited(claim) if 0 <= number < len(transcript.lines)]
        counts["claims"] += 1
        counts["claims_cited"] += bool(lines)
        counts["claims_supported"] += bool(lines) and holds("\n".join(lines), said)
        counts["claims_held"] += holds(transcript.text, said)
    counts["uncited"] = int(counts["claims_cited"] < counts["claims"])
    counts["unsupported"] = int(counts["claims_supported"] < counts["claims_cited"])
    return counts


def _of_raw_citations(answer: Answer, transcript: Transcript) -> Counts:
    """Count the ids in the last raw answer: the product drops those of segments that do not exist."""
    last = _last_answer(answer)
    found = [number for claim in claims(parsed(last["text"])) for number in cited(claim)] if last else []
    return Counter(ids=len(found), ids_existing=sum(0 <= number < len(transcript.lines) for number in found))


def _last_answer(answer: Answer) -> Exchange | None:
    of_profile = [each for each in answer.exchanges if each["name"] == answer.profile and each["text"] is not None]
    return of_profile[-1] if of_profile else None


def _is_cut(answer: Answer, *, with_ids: bool) -> bool:
    """Return whether the last answer ended at the token limit, or a part of it at its bound without an end.

    Lists of segment ids, which a reader does not miss, count ``with_ids``.
    """
    last = _last_answer(answer)
    if last is None:
        return False
    return last["finish_reason"] != "stop" or any(
        with_ids or not all(isinstance(item, int) for item in part)
        if isinstance(part, list)
        else not ends_complete(part)
        for part in at_bound(parsed(last["text"]), last["schema"])
    )


def _has_fence(text: str, exchanges: Iterable[Exchange]) -> bool:
    return bool(FENCE_RUN.search(text)) or any(each["fence"] and each["fence"] in text for each in exchanges)


def _has_duplicates(output: Any) -> bool:
    """Return whether two items of a list say the same, whatever they cite and whichever numbers they have."""
    for node in objects(output):
        for items in (each for each in node.values() if isinstance(each, list)):
            said = [folded(" ".join(strings(item))) for item in items if not isinstance(item, int)]
            if len(said) != len(set(said)):
                return True
    return False


def _invents(output: Any, transcript: Transcript) -> bool:
    """Return whether there are digits, an owner, a due date or an entity that the transcript does not have."""
    if not set().union(*map(numbers, strings(output))) <= numbers(transcript.text):
        return True
    quoted = [claim.get(field) for claim in claims(output) for field in QUOTED_FIELDS]
    quoted += [claim["text"] for claim in claims(output) if "kind" in claim]
    return any(isinstance(each, str) and not holds(transcript.text, each) for each in quoted)


def _numbers(value: Any) -> Iterable[int]:
    for node in objects(value):
        for each in node.values():
            yield from (number for number in (each if isinstance(each, list) else [each]) if type(number) is int)


def _is_run(number: int) -> bool:
    return abs(number) >= 10**7
