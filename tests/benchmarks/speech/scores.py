"""Which searches give scores that compare: ``python -m tests.benchmarks.speech.scores``.

CTranslate2 returns a score with each text, the mean log-probability of its tokens. Where two searches find the
same tokens in the same window, scores that compare are equal. For all texts, the score is set beside the mean
log-probability that ``align`` gives the same tokens, which knows no search; it leaves out the end-of-text token
and does not suppress tokens, so that small differences are no finding.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any, Final

import faster_whisper

from tests.benchmarks.speech.comparison import chosen_model
from tests.benchmarks.speech.corpus import recordings_in
from tests.benchmarks.speech.single_windows import SingleWindows

SEARCHES: Final[dict[str, dict[str, Any]]] = {
    "beam 5": {"beam_size": 5},
    "beam 1": {"beam_size": 1},
    "beam 5, penalty 1.1": {"beam_size": 5, "repetition_penalty": 1.1},
    "beam 5, penalty 1.3": {"beam_size": 5, "repetition_penalty": 1.3},
    "beam 5, no run of 8 twice": {"beam_size": 5, "no_repeat_ngram_size": 8},
    "beam 5, no run of 3 twice": {"beam_size": 5, "no_repeat_ngram_size": 3},
}
FIRST: Final = "beam 5"


@dataclass(frozen=True, slots=True)
class Scored:
    """A text that a search found in a window, with both measures of how probable it is, per token."""

    tokens: tuple[int, ...]
    score: float
    aligned_score: float


def scored(model: SingleWindows, path: Path) -> dict[str, Scored]:
    """Return what each search finds in the first window of a file. Blocks."""
    encoded = model.encode(faster_whisper.decode_audio(str(path)))
    language = model.language(encoded)
    return {name: _scored(model, encoded, language, search) for name, search in SEARCHES.items()}


def _scored(model: SingleWindows, encoded: Any, language: str, search: dict[str, Any]) -> Scored:
    found = model.search(encoded, language, **search)
    tokens = tuple(found.sequences_ids[0])
    probabilities = model.token_probabilities(encoded, language, tokens) or [1.0]
    # The score is divided by the number of tokens without the end of the text, whose probability it includes.
    score = found.scores[0] * len(tokens) / (len(tokens) + 1)
    return Scored(tokens, score, statistics.fmean(log(max(each, 1e-9)) for each in probabilities))


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each search."""
    chosen = _parser().parse_args(arguments)
    model = SingleWindows(chosen_model(chosen.model))
    paths = [each.path for each in recordings_in(chosen.speech)][: chosen.limit]
    windows = list(_windows(model, paths))
    print(f"{len(windows)} windows of real speech")
    print(f"{'':26} {'same tokens':>11} {'score less that of beam 5':>27} {'score less aligned':>20}")
    for name in SEARCHES:
        pairs = [(each[name], each[FIRST]) for each in windows]
        same = [found.score - first.score for found, first in pairs if found.tokens == first.tokens]
        aligned = [each[name].score - each[name].aligned_score for each in windows]
        print(f"{name:26} {len(same):11}       {_spread(same)}   {_spread(aligned)}")
    return 0


def _windows(model: SingleWindows, paths: Sequence[Path]) -> Iterator[dict[str, Scored]]:
    for number, path in enumerate(paths, start=1):
        print(f"{number} of {len(paths)}", file=sys.stderr, flush=True)
        yield scored(model, path)


def _spread(differences: Sequence[float]) -> str:
    if not differences:
        return "-"
    return f"{min(differences):6.3f} {statistics.median(differences):6.3f} {max(differences):6.3f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speech.scores", description=__doc__)
    named = os.environ.get("KASCRIBE_TEST_SPEECH")
    parser.add_argument("--model", type=Path, help="a CTranslate2 directory (default: Whisper base, fetched)")
    parser.add_argument("--speech", type=Path, default=named, required=named is None)
    parser.add_argument("--limit", type=int, help="only the first so many recordings")
    return parser


if __name__ == "__main__":
    sys.exit(main())
