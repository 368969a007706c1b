"""Error rates of Kascribe and of faster-whisper's two modes: ``python -m tests.benchmarks.speech.accuracy``.

All run in one process after another on the same int8 weights, with their defaults. Every recording is printed of
which they do not give the same words. Ends with 1 where Kascribe is over the goal.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.speech.comparison import add_options, chosen_model, compare
from tests.benchmarks.speech.corpus import Recording, recordings_in, with_text
from tests.benchmarks.speech.error_rates import BY_CHARACTER, Errors, count_errors, units_of
from tests.benchmarks.speech.kept_texts import KeptTexts
from tests.benchmarks.speech.systems import SYSTEMS

ALLOWED_POINTS: Final = 0.1
"""How far Kascribe's error rate may be above that of the sequential mode, in percentage points."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording, and its text by system."""

    recording: Recording
    texts: dict[str, str]

    def errors(self, system: str) -> Errors:
        """Count the errors of a system."""
        return count_errors(self.recording.text or "", self.texts[system], self.recording.language)

    @property
    def differs(self) -> bool:
        """Whether the systems do not all give the same words."""
        return len({tuple(units_of(text, self.recording.language)) for text in self.texts.values()}) > 1


def hear(recordings: Sequence[Recording], model: Path, *, kept: KeptTexts | None = None) -> list[Heard]:
    """Transcribe all recordings with all systems. Blocks for minutes."""
    paths = {each.name: each.path for each in recordings}
    texts = compare(paths, model, kept=kept or KeptTexts(None, model))
    return [Heard(each, {system: texts[system][each.name] for system in SYSTEMS}) for each in recordings]


def totals(heard: Sequence[Heard]) -> dict[str, Errors]:
    """Add up the errors of each system."""
    return {system: sum((each.errors(system) for each in heard), Errors()) for system in SYSTEMS}


def is_within_goal(heard: Sequence[Heard]) -> bool:
    """Return whether Kascribe's error rate is at most ``ALLOWED_POINTS`` above that of the sequential mode."""
    found = totals(heard)
    return found["kascribe"].percent <= found["sequential"].percent + ALLOWED_POINTS


def main(arguments: list[str] | None = None) -> int:
    """Print the table and every difference; return the exit code."""
    chosen = _parser().parse_args(arguments)
    recordings = list(with_text(recordings_in(chosen.speech), languages=chosen.languages, names=chosen.clips))
    model = chosen_model(chosen.model)
    heard = hear(recordings[: chosen.limit], model, kept=KeptTexts(chosen.resume, model))
    _print_differences(heard)
    _print_table(heard)
    if not heard:
        print("no recording with a known text was chosen")
        return 1
    if is_within_goal(heard):
        return 0
    print(f"goal missed: Kascribe is more than {ALLOWED_POINTS} points above the sequential mode")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speech.accuracy", description=__doc__)
    named = os.environ.get("KASCRIBE_TEST_SPEECH")
    add_options(parser)
    parser.add_argument(
        "--speech",
        type=Path,
        default=named,
        required=named is None,
        help="a folder with manifest.jsonl (default: KASCRIBE_TEST_SPEECH)",
    )
    parser.add_argument("--clips", nargs="+", default=[], help="only recordings whose name holds any of these")
    parser.add_argument("--languages", nargs="+", default=[])
    parser.add_argument("--limit", type=int, help="only the first so many recordings")
    return parser


def _print_differences(heard: Sequence[Heard]) -> None:
    for each in heard:
        if each.differs:
            print(f"{each.recording.name}\n  {'reference':10} {'':>5} {each.recording.text}")
            for system, text in each.texts.items():
                print(f"  {system:10} {each.errors(system).count:5} {text}")


def _print_table(heard: Sequence[Heard]) -> None:
    by_language: defaultdict[str, list[Heard]] = defaultdict(list)
    for each in heard:
        by_language[each.recording.language].append(each)
    print(f"\n{'language':18} {'recordings':>10} {'units':>7}", *(f"{system:>11}" for system in SYSTEMS))
    for language, of_language in sorted(by_language.items()):
        unit = "characters" if language in BY_CHARACTER else "words"
        _print_row(f"{language}, {unit}", of_language)
    _print_row("all", heard)


def _print_row(title: str, heard: Sequence[Heard]) -> None:
    found = totals(heard)
    units = found["kascribe"].units
    print(
        f"{title:18} {len(heard):10} {units:7}",
        *(f"{errors.count:4} {errors.percent:5.2f}%" for errors in found.values()),
    )


if __name__ == "__main__":
    sys.exit(main())
