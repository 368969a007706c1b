"""Words lost at the end of a window without timestamps: ``python -m tests.benchmarks.speech.endings``.

The product decodes without Whisper's timestamps. Each window is decoded both ways by the same search, and the
words after the last one that both have are counted. Windows are of two kinds: short recordings, ended where their
speech ends; and cuts of 25 to 29 s out of long ones, which end in the middle of speech.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

import faster_whisper
from faster_whisper.vad import get_speech_timestamps

from models.media.speech.windows import SAMPLE_RATE_HERTZ, WINDOW_SECONDS
from tests.benchmarks.speech.comparison import chosen_model
from tests.benchmarks.speech.corpus import recordings_in
from tests.benchmarks.speech.error_rates import units_of
from tests.benchmarks.speech.single_windows import SingleWindows
from tests.sound.recordings import Sound

CUTS_SECONDS: Final = (25, 26, 27, 28, 29)
SHORT: Final = "short"
CUT: Final = "cut"


def words_after(texts: tuple[Sequence[str], Sequence[str]]) -> tuple[int, int]:
    """Count in each of two texts the words after the last one that both have in the same place."""
    blocks = SequenceMatcher(None, *texts, autojunk=False).get_matching_blocks()
    ends = [(block.a + block.size, block.b + block.size) for block in blocks if block.size]
    last = ends[-1] if ends else (0, 0)
    return len(texts[0]) - last[0], len(texts[1]) - last[1]


def windows_of(sound: Sound) -> Iterator[tuple[str, Sound]]:
    """Yield a short recording up to the end of its speech, or cuts out of a long one."""
    if len(sound) <= WINDOW_SECONDS * SAMPLE_RATE_HERTZ:
        spans = get_speech_timestamps(sound)
        if spans:
            yield SHORT, sound[: spans[-1]["end"]]
        return
    start = 0
    for seconds in CUTS_SECONDS:
        end = start + seconds * SAMPLE_RATE_HERTZ
        if end <= len(sound):
            yield CUT, sound[start:end]
        start = end


def main(arguments: list[str] | None = None) -> int:
    """Print the windows whose ends differ, and the table."""
    chosen = _parser().parse_args(arguments)
    model = SingleWindows(chosen_model(chosen.model))
    names = [each.name for each in recordings_in(chosen.speech) if _is_chosen(each.name, chosen.clips)]
    lost: dict[str, list[tuple[int, int]]] = {SHORT: [], CUT: []}
    for name in names[: chosen.limit]:
        for kind, window in windows_of(faster_whisper.decode_audio(str(chosen.speech / name))):
            texts = _both(model, window)
            after = words_after((units_of(texts[0], "en"), units_of(texts[1], "en")))
            lost[kind].append(after)
            if any(after):
                print(f"{name} ({kind}, {len(window) / SAMPLE_RATE_HERTZ:.1f} s)", flush=True)
                print(f"  with timestamps    {texts[0]}\n  without timestamps {texts[1]}", flush=True)
    _print(lost)
    return 0


def _print(lost: Mapping[str, Sequence[tuple[int, int]]]) -> None:
    print(f"\n{'':8} {'windows':>8}  words missing at the end, where nothing stands in their place")
    print(f"{'':8} {'':>8} {'without timestamps':>20} {'with timestamps':>20}")
    for kind, counts in lost.items():
        missing = [[each[here] for each in counts if each[here] and not each[1 - here]] for here in (0, 1)]
        print(f"{kind:8} {len(counts):8}", *(f"{sum(each):>14} in {len(each):2}" for each in missing))


def _is_chosen(name: str, parts: Sequence[str]) -> bool:
    return not parts or any(part in name for part in parts)


def _both(model: SingleWindows, window: Sound) -> tuple[str, str]:
    """Decode a window with timestamps and without."""
    encoded = model.encode(window)
    language = model.language(encoded)
    found = [model.search(encoded, language, beam_size=5, timestamps=each) for each in (True, False)]
    texts = [model.vocabulary.text(model.vocabulary.text_tokens(tuple(each.sequences_ids[0]))) for each in found]
    return texts[0], texts[1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speech.endings", description=__doc__)
    named = os.environ.get("KASCRIBE_TEST_SPEECH")
    parser.add_argument("--model", type=Path, help="a CTranslate2 directory (default: Whisper base, fetched)")
    parser.add_argument("--speech", type=Path, default=named, required=named is None)
    parser.add_argument("--clips", nargs="+", default=[], help="only recordings whose name holds any of these")
    parser.add_argument("--limit", type=int, help="only the first so many recordings")
    return parser


if __name__ == "__main__":
    sys.exit(main())
