"""Words that a model writes of sounds without speech: ``python -m tests.benchmarks.speech.silence``.

Sounds without speech (``tests/sound/without_speech.py``, and the recordings of the corpus with the language
``none``) are given to Kascribe and to faster-whisper's two modes, on the same int8 weights, with their defaults.
Ends with 1 where Kascribe writes any word. ``--without-vad`` turns voice detection off, for the record: the exit
code is then 0.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.benchmarks.speech.comparison import Texts, add_options, chosen_model, compare
from tests.benchmarks.speech.corpus import recordings_in
from tests.benchmarks.speech.error_rates import units_of
from tests.benchmarks.speech.kept_texts import KeptTexts
from tests.benchmarks.speech.systems import SYSTEMS
from tests.sound.recordings import FORMATS, write
from tests.sound.without_speech import sounds

SOUNDS: Final = 308
"""Generated sounds: 22 of each kind."""
_NONE: Final = "none"


def invented_words(texts: Texts) -> dict[str, int]:
    """Count the words of each recording that has any."""
    counted = {name: len(units_of(text, "en")) for name, text in texts.items()}
    return {name: words for name, words in counted.items() if words}


def write_sounds(directory: Path, count: int) -> Iterator[tuple[str, Path]]:
    """Write the first generated sounds as FLAC; yield names and paths."""
    for name, sound in sounds(count):
        yield name, write(directory / f"{name}.flac", sound, FORMATS["flac"])


def main(arguments: list[str] | None = None) -> int:
    """Print every invented text and the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speech.silence", description=__doc__)
    add_options(parser)
    parser.add_argument("--sounds", type=int, default=SOUNDS, help=f"generated sounds (default {SOUNDS})")
    parser.add_argument("--without-vad", action="store_true")
    chosen = parser.parse_args(arguments)
    model = chosen_model(chosen.model)
    with tempfile.TemporaryDirectory() as directory:
        paths = {**dict(write_sounds(Path(directory), chosen.sounds)), **_recorded()}
        texts = compare(paths, model, kept=KeptTexts(chosen.resume, model), vad=not chosen.without_vad)
    _print(texts, len(paths))
    return 1 if invented_words(texts["kascribe"]) and not chosen.without_vad else 0


def _recorded() -> dict[str, Path]:
    corpus = os.environ.get("KASCRIBE_TEST_SPEECH")
    recordings = recordings_in(Path(corpus)) if corpus else ()
    return {each.name: each.path for each in recordings if each.language == _NONE}


def _print(texts: Mapping[str, Texts], sounds_count: int) -> None:
    for system in SYSTEMS:
        for name in invented_words(texts[system]):
            print(f"{system:10} {name:24} {texts[system][name]}")
    print(f"\n{sounds_count} sounds without speech\n{'':10} {'invented words':>14} {'in sounds':>10}  by kind")
    for system in SYSTEMS:
        found = invented_words(texts[system])
        kinds = Counter(name.partition("-")[2] or name for name in found)
        listed = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        print(f"{system:10} {sum(found.values()):14} {len(found):10}  {listed}")


if __name__ == "__main__":
    sys.exit(main())
