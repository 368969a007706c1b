"""Tables of the judged answers: by language for all profiles, and by profile and language, before and after."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.enrich_quality.judging import Counts

NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Measure:
    """A line of a table: what it is, and its figure."""

    name: str
    figure: Callable[[Counts], str]


def of(part: str, whole: str) -> Callable[[Counts], str]:
    """Return a figure such as "3 of 20"."""
    return lambda counts: f"{counts[part]} of {counts[whole]}" if counts[whole] else NOTHING


def per(total: str, whole: str, *, scale: float = 1.0, digits: int = 1) -> Callable[[Counts], str]:
    """Return a mean."""
    return lambda counts: f"{counts[total] * scale / counts[whole]:.{digits}f}" if counts[whole] else NOTHING


def share(part: str, whole: str) -> Callable[[Counts], str]:
    """Return a percentage."""
    return lambda counts: f"{100 * counts[part] / counts[whole]:.1f} %" if counts[whole] else NOTHING


def statuses(counts: Counts) -> str:
    """List the statuses with how often each was."""
    found = {name.removeprefix("status "): times for name, times in counts.items() if name.startswith("status ")}
    return ", ".join(f"{times} {name}" for name, times in sorted(found.items())) or NOTHING


def doubts(counts: Counts) -> str:
    """Return the mean number of doubts, where results have them."""
    return per("doubts", "published")(counts) if counts["has_doubts"] else NOTHING


def wasted(counts: Counts) -> str:
    """Return the share of the completion tokens that is wasted in any way."""
    total = counts["waste_digits"] + counts["waste_loops"] + counts["waste_tail"]
    return share("wasted", "completion_tokens")(counts + Counter(wasted=total))


MEASURES: Final = (
    Measure("status", statuses),
    Measure("published results: valid JSON", lambda c: of("valid", "published")(_with_valid(c))),
    Measure("raw answers: valid JSON", of("raw_valid", "raw")),
    Measure("raw answers: cut at the token limit", of("raw_cut", "requests")),
    Measure("raw answers: fence word or run of =", of("raw_fenced", "requests")),
    Measure("raw answers: loop", of("raw_looped", "requests")),
    Measure("fence word or run of =", of("fenced", "published")),
    Measure("run of digits", of("digit_runs", "published")),
    Measure("loop", of("looped", "published")),
    Measure("duplicate items", of("duplicated", "published")),
    Measure("wrong language", of("other_language", "published")),
    Measure("empty", of("empty", "published")),
    Measure("digits, owner, date or entity not in the transcript", of("invented", "published")),
    Measure("text or list of items cut off", of("cut", "published")),
    Measure("anything at its bound, and `truncated` false", of("cut_untold", "published")),
    Measure("`truncated`", of("truncated", "published")),
    Measure("claims that cite a segment", of("claims_cited", "claims")),
    Measure("ids in raw answers that exist", of("ids_existing", "ids")),
    Measure("cited claims supported by what they cite", of("claims_supported", "claims_cited")),
    Measure("claims that the transcript holds", of("claims_held", "claims")),
    Measure("no fault found by these rules", of("faultless", "results")),
    Measure("doubts for a result", doubts),
    Measure("results with doubts", lambda c: of("doubted", "published")(c) if c["has_doubts"] else NOTHING),
    Measure("results with flags", of("flagged", "published")),
    Measure("faulty results without flag, doubt or `truncated`", of("unmarked", "faulty")),
    Measure("coverage, mean", per("coverage_percent", "published", scale=0.01, digits=2)),
    Measure("share of segments cited, mean", per("cited_percent", "published", scale=0.01, digits=2)),
    Measure("requests for a result", per("requests", "results", digits=2)),
    Measure("prompt tokens for a result", per("prompt_tokens", "results", digits=0)),
    Measure("completion tokens for a result", per("completion_tokens", "results", digits=0)),
    Measure("completion tokens wasted", wasted),
    Measure("- in runs of digits", share("waste_digits", "completion_tokens")),
    Measure("- in loops", share("waste_loops", "completion_tokens")),
    Measure("- after the last complete sentence", share("waste_tail", "completion_tokens")),
    Measure("seconds for a result", per("milliseconds", "results", scale=0.001)),
)


def table(columns: Sequence[tuple[str, Counts]], measures: Iterable[Measure] = MEASURES) -> str:
    """Return a Markdown table of measures (lines) for groups of answers (columns)."""
    lines = [["", *(name for name, _ in columns)]]
    lines += [[measure.name, *(measure.figure(counts) for _, counts in columns)] for measure in measures]
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as a Markdown table whose columns are aligned."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]])


def _with_valid(counts: Counts) -> Counts:
    return counts + Counter(valid=counts["published"] - counts["invalid_json"])
