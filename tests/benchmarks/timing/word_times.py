"""Word times beside those of faster-whisper on the same weights: ``python -m tests.benchmarks.timing.word_times``.

Words are matched by their text. Where starts differ by more than a tenth of a second, the sound decides: with a
pause between the two starts, the later one is right, since a word holds no pause; otherwise the earlier one. Ends
with 1 when a word is out of order, outside its recording, or without length.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deploy.real_models import fetch_whisper
from deploy.stack.cache import default_cache
from schemas.transcripts.transcript import Transcript
from tests.benchmarks.speech.corpus import Recording, recordings_in
from tests.benchmarks.timing.timed import FasterWhisper, Spoken, transcripts, words_of
from tests.sound.recordings import SAMPLE_RATE_HERTZ, read

LARGE_SECONDS: Final = 0.1
"""A difference of starts from which the sound is asked."""
QUIET_DECIBELS: Final = -20.0
"""Sound so far below the loud parts of its recording (their 95th percentile) is quiet.

In a noisy recording it is quiet below the middle between them and the quiet parts (the 10th percentile).
"""
PAUSE_FRAMES: Final = 15
"""Hundredths of a second that are quiet in a row, and make a pause; in shorter sound, most of it."""
SHARE_OF_SHORT: Final = 0.7
ZERO_LENGTH_SHARE: Final = 0.001
ROUNDING_SECONDS: Final = 0.0011


@dataclass(slots=True)
class Found:
    """Differences in seconds, ours minus theirs, of the words that match, and what is wrong with our words."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    ours_right: int = 0
    theirs_right: int = 0
    words: int = 0
    zero_length: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        """Add the findings of another recording."""
        self.starts += other.starts
        self.ends += other.ends
        self.ours_right += other.ours_right
        self.theirs_right += other.theirs_right
        self.words += other.words
        self.zero_length += other.zero_length
        self.faults += other.faults

    @property
    def keeps_invariants(self) -> bool:
        """Whether words are in order and inside their recordings, and hardly any has no length."""
        return not self.faults and self.zero_length <= ZERO_LENGTH_SHARE * self.words


def compare(recording: Recording, transcript: Transcript, theirs: Sequence[Spoken]) -> Found:
    """Compare the words of one recording."""
    ours = words_of(transcript)
    found = Found(words=len(ours), faults=faults(recording.name, ours, transcript.audio.audio_duration_seconds))
    found.zero_length = sum(word.end <= word.start for word in ours)
    loudness: NDArray[np.float64] | None = None
    for our, their in matching(ours, theirs):
        found.starts.append(our.start - their.start)
        found.ends.append(our.end - their.end)
        if abs(found.starts[-1]) > LARGE_SECONDS:
            loudness = loudness if loudness is not None else loudness_of(recording.path)
            later_is_right = has_pause(loudness, min(our.start, their.start), max(our.start, their.start))
            if later_is_right == (our.start > their.start):
                found.ours_right += 1
            else:
                found.theirs_right += 1
    return found


def faults(name: str, words: Sequence[Spoken], duration_seconds: float) -> list[str]:
    """Describe the words that are out of order or outside their recording."""
    wrong = [
        f"{name}: {after.text!r} begins at {after.start} s, before {before.text!r} ended at {before.end} s"
        for before, after in pairwise(words)
        if after.start < before.end or after.end < after.start
    ]
    wrong += [
        f"{name}: {word.text!r} is at {word.start} to {word.end} s of {duration_seconds} s"
        for word in words
        if word.start < 0 or word.end > duration_seconds + ROUNDING_SECONDS
    ]
    return wrong


def matching(ours: Sequence[Spoken], theirs: Sequence[Spoken]) -> list[tuple[Spoken, Spoken]]:
    """Return the pairs of equal words; case and punctuation are ignored."""
    left, right = _with_letters(ours), _with_letters(theirs)
    matcher = SequenceMatcher(None, [text for text, _ in left], [text for text, _ in right], autojunk=False)
    return [
        (left[block.a + place][1], right[block.b + place][1])
        for block in matcher.get_matching_blocks()
        for place in range(block.size)
    ]


def loudness_of(path: Path) -> NDArray[np.float64]:
    """Return the loudness of each hundredth of a second, in decibels below the loud parts of the recording."""
    sound = read(path).astype(np.float64)
    frame = SAMPLE_RATE_HERTZ // 100
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    power = (frames**2).mean(axis=1) + 1e-12
    decibels: NDArray[np.float64] = 10 * np.log10(power / np.percentile(power, 95))
    return decibels


def has_pause(loudness: NDArray[np.float64], start_seconds: float, end_seconds: float) -> bool:
    """Return whether there is a pause between two times."""
    limit = max(QUIET_DECIBELS, float(np.percentile(loudness, 10)) / 2)
    quiet = loudness[round(start_seconds * 100) : round(end_seconds * 100)] < limit
    longest = max((len(list(run)) for is_quiet, run in groupby(quiet) if is_quiet), default=0)
    return longest >= min(PAUSE_FRAMES, SHARE_OF_SHORT * len(quiet))


def _with_letters(words: Sequence[Spoken]) -> list[tuple[str, Spoken]]:
    bare = [("".join(filter(str.isalnum, word.text.casefold())), word) for word in words]
    return [(text, word) for text, word in bare if text]


def percentile(differences: Sequence[float], percent: float) -> float:
    """Return a percentile of the absolute differences."""
    return float(np.percentile(np.abs(differences), percent)) if differences else 0.0


def measure(recordings: Sequence[Recording], model: Path, *, keep: Path | None = None) -> dict[str, Found]:
    """Return the findings by language. Blocks for minutes."""
    theirs = FasterWhisper(model, keep=keep)
    by_language: defaultdict[str, Found] = defaultdict(Found)
    for recording, transcript in transcripts(recordings, model, keep=keep):
        by_language[recording.language].add(compare(recording, transcript, theirs.words(recording)))
    return dict(sorted(by_language.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit code."""
    chosen = parser(__doc__ or "").parse_args(arguments)
    recordings = chosen_recordings(chosen)
    found = measure(recordings, chosen.model or fetch_whisper(default_cache()), keep=chosen.keep)
    total = Found()
    for each in found.values():
        total.add(each)
    print(f"{len(recordings)} recordings; seconds of |difference|, median and 95th percentile")
    print("language    words  matched   starts           ends          large: ours right  theirs  zero length")
    for language, each in [*found.items(), ("all", total)]:
        print(
            f"{language:10} {each.words:6} {len(each.starts):8}"
            f"   {percentile(each.starts, 50):.3f}  {percentile(each.starts, 95):.3f}"
            f"    {percentile(each.ends, 50):.3f}  {percentile(each.ends, 95):.3f}"
            f"   {each.ours_right:17} {each.theirs_right:7} {each.zero_length:12}"
        )
    print(*total.faults, sep="\n")
    if not total.words:
        print("no words: nothing was measured")
    return 0 if total.words and total.keeps_invariants else 1


def chosen_recordings(chosen: argparse.Namespace) -> list[Recording]:
    """Return the recordings that the options choose: none that was made from others."""
    found = [each for each in recordings_in(chosen.speech) if not each.name.startswith("derived/")]
    wanted = [each for each in found if not chosen.languages or each.language in chosen.languages]
    # Every language has recordings in a short run.
    places: defaultdict[str, int] = defaultdict(int)
    ordered = []
    for each in wanted:
        ordered.append((places[each.language], each))
        places[each.language] += 1
    ordered.sort(key=lambda entry: entry[0])
    return [each for _, each in ordered][: chosen.limit]


def parser(description: str) -> argparse.ArgumentParser:
    """Return the options that this benchmark and that of subtitles share."""
    named = os.environ.get("KASCRIBE_TEST_SPEECH")
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--model", type=Path, help="a CTranslate2 directory (default: Whisper base, fetched)")
    options.add_argument("--speech", type=Path, default=named, required=named is None, help="has a manifest.jsonl")
    options.add_argument("--languages", nargs="+", default=[])
    options.add_argument("--limit", type=int, help="only so many recordings, of as many languages as there are")
    options.add_argument("--keep", type=Path, help="keep what is heard in this directory, and read it again")
    return options


if __name__ == "__main__":
    sys.exit(main())
