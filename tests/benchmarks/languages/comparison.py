"""Files that change their language: ``python -m tests.benchmarks.languages``.

Recordings in one language each are joined in memory (see ``mixes``). Kascribe and faster-whisper's sequential mode
transcribe them with and without ``multilingual``, on the same int8 weights, with voice detection. There are two
figures: the error rate, and the share of the speech that is in a segment of the right language. The constants of
the rule were chosen on the mixes with even numbers; those with odd ones are reported. Ends with 1 where the goal
is missed: better than faster-whisper with ``multilingual`` in both, and no worse in one language than without it.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from faster_whisper.vad import VadOptions, get_speech_timestamps

from models.media.speech.windows import SAMPLE_RATE_HERTZ
from tests.benchmarks.languages.listeners import ALONE, LISTENERS, Heard, KeptResults, listen
from tests.benchmarks.languages.mixes import KINDS, Mix, clips_of, mixes_of, single
from tests.benchmarks.speech.comparison import chosen_model
from tests.benchmarks.speech.corpus import recordings_in
from tests.benchmarks.speech.error_rates import Errors, count_errors

SEED: Final = 7
MIXES: Final = 20
STEP_SAMPLES: Final = SAMPLE_RATE_HERTZ // 10
"""The language is compared every tenth of a second of speech."""
NEAR_SECONDS: Final = 1.0
"""Speech that is farther from every segment than this has no language."""
ALLOWED_POINTS: Final = 0.1
"""How far the error rate in files of one language may rise with ``multilingual``, in percentage points."""
OURS: Final = "kascribe multilingual"
PEER: Final = "faster-whisper multilingual"


@dataclass(frozen=True, slots=True)
class Score:
    """Errors, and tenths of a second of speech: all, and those in the right language."""

    errors: Errors = field(default_factory=Errors)
    speech: int = 0
    right: int = 0

    def __add__(self, other: "Score") -> "Score":
        """Add up the scores of two files."""
        return Score(self.errors + other.errors, self.speech + other.speech, self.right + other.right)

    @property
    def right_percent(self) -> float:
        """Share of the speech that is in a segment of the right language, in percent."""
        return 100 * self.right / self.speech if self.speech else 0.0


def score(mix: Mix, heard: Sequence[Heard], references: Sequence[str]) -> Score:
    """Compare what a system heard with the texts of the parts and their languages."""
    text = " ".join(each.text for each in sorted(heard, key=lambda each: each.start_seconds))
    errors = count_errors(_spaced(" ".join(references)), _spaced(text), "en")
    tenths = list(_speech(mix))
    right = sum(_language_at(heard, seconds) == language for seconds, language in tenths)
    return Score(errors, len(tenths), right)


def _spaced(text: str) -> str:
    """Set apart Chinese, Japanese and Korean characters: they are counted one by one, other languages by word."""
    return "".join(f" {each} " if ord(each) >= 0x1100 and each.isalpha() else each for each in text)


def _speech(mix: Mix) -> Iterator[tuple[float, str]]:
    """Yield each tenth of a second that holds speech, and the language spoken."""
    for part in mix.parts:
        samples = mix.samples[part.start : part.end]
        for span in get_speech_timestamps(samples, VadOptions(speech_pad_ms=0)):
            for sample in range(span["start"], span["end"], STEP_SAMPLES):
                yield (part.start + sample) / SAMPLE_RATE_HERTZ, part.clip.language


def _language_at(heard: Sequence[Heard], seconds: float) -> str | None:
    nearest = min(heard, key=lambda each: each.distance_seconds(seconds), default=None)
    if nearest is None or nearest.distance_seconds(seconds) > NEAR_SECONDS:
        return None
    return nearest.language


def compare(mixes: Sequence[Mix], model: Path, kept: KeptResults) -> dict[str, dict[str, Score]]:
    """Return the score of each listener in each mix. Blocks for minutes."""
    unknown = {part.clip.name: single(part.clip) for mix in mixes for part in mix.parts if part.clip.text is None}
    listen(ALONE, list(unknown.values()), model, kept)
    texts = {name: " ".join(each.text for each in kept.of(ALONE, mix.name)) for name, mix in unknown.items()}
    for listener in LISTENERS:
        listen(listener, mixes, model, kept)
    return {
        mix.name: {
            listener: score(
                mix, kept.of(listener, mix.name), [part.clip.text or texts[part.clip.name] for part in mix.parts]
            )
            for listener in LISTENERS
        }
        for mix in mixes
    }


def misses(mixes: Sequence[Mix], scores: dict[str, dict[str, Score]]) -> list[str]:
    """Return what falls short of the goal."""
    total = {name: sum((each[name] for each in scores.values()), Score()) for name in LISTENERS}
    found = []
    if total[OURS].errors.percent >= total[PEER].errors.percent:
        found.append(f"the error rate is not below that of {PEER}")
    if total[OURS].right_percent <= total[PEER].right_percent:
        found.append(f"the share in the right language is not above that of {PEER}")
    alike = [scores[mix.name] for mix in mixes if len(mix.languages) == 1]
    on, off = (sum((each[name] for each in alike), Score()).errors.percent for name in (OURS, "kascribe"))
    if on > off + ALLOWED_POINTS:
        found.append(f"files of one language have {on:.2f} % errors with multilingual, {off:.2f} % without")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    chosen = _parser().parse_args(arguments)
    clips = clips_of(recordings_in(chosen.speech))
    mixes = list(mixes_of(clips, count=chosen.mixes, seed=SEED))
    mixes = {"all": mixes, "even": mixes[::2], "odd": mixes[1::2]}[chosen.half]
    mixes += [single(clip) for clip in clips[: chosen.singles]]
    scores = compare(mixes, chosen_model(chosen.model), KeptResults(chosen.resume))
    for mix in mixes:
        print(f"{mix.name:28} {','.join(mix.languages):16}", *map(_cells, scores[mix.name].values()))
    print(f"\n{'':45}", *(f"{name:>28}" for name in LISTENERS))
    print(f"{'':45}", *(f"{'errors':>15} {'right':>12}" for _ in LISTENERS))
    for kind in (*KINDS, "one clip"):
        _print_row(kind, [scores[mix.name] for mix in mixes if mix.kind == kind])
    _print_row("all", list(scores.values()))
    missed = misses(mixes, scores)
    for each in missed:
        print(f"goal missed: {each}")
    return 1 if missed else 0


def _print_row(title: str, scores: Sequence[dict[str, Score]]) -> None:
    if scores:
        sums = [sum((each[name] for each in scores), Score()) for name in LISTENERS]
        print(f"{title:28} {f'{len(scores)} files':16}", *map(_cells, sums))


def _cells(found: Score) -> str:
    return f"{found.errors.count:6} {found.errors.percent:7.2f}% {found.right_percent:11.2f}%"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.languages", description=__doc__)
    named = os.environ.get("KASCRIBE_TEST_SPEECH")
    parser.add_argument("--model", type=Path, help="a CTranslate2 directory (default: Whisper base, fetched)")
    parser.add_argument(
        "--speech",
        type=Path,
        default=named,
        required=named is None,
        help="a folder with manifest.jsonl (default: KASCRIBE_TEST_SPEECH)",
    )
    parser.add_argument("--mixes", type=int, default=MIXES)
    parser.add_argument("--half", choices=("all", "even", "odd"), default="odd")
    parser.add_argument("--singles", type=int, default=0, help="also this many recordings by themselves")
    parser.add_argument("--resume", type=Path, help="keep results in this file, and use those that it has")
    return parser
