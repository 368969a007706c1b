"""The training corpus: words and utterances of the vocabulary, and other speech, built once and stored in files.

python -m models.selftest.corpus --output DIRECTORY --clips 44000
"""

import argparse
import json
import multiprocessing
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.selftest.synthesis import TRAINING_VARIANTS, Audio, Speaker, random_words, speak, training_speaker

OTHER_SPEECH: Final = {
    "en-us": (
        *(
            "water",
            "people",
            "understand",
            "morning",
            "yellow",
            "because",
            "house",
            "mountain",
            "question",
            "tomorrow",
        ),
        *(
            "the weather is fine",
            "where is my coat",
            "a green bottle",
            "they walked along the river",
            "nobody knows",
        ),
    ),
    "ko": (
        *(
            "물",
            "사람들",
            "이해합니다",
            "내일",
            "노란색",
            "학교에 갑니다",
            "비가 옵니다",
            "질문이 많습니다",
            "커피 주세요",
            "서울",
        ),
        *("어디에 있어요", "책을 읽었다", "너무 비싸요", "바다가 보인다", "친구를 만났다"),
    ),
    "de": ("guten Morgen", "das Fenster", "ich verstehe nicht", "zwanzig Minuten", "Brot und Butter"),
    "fr": ("bonjour madame", "la fenêtre", "je ne comprends pas", "beaucoup de monde", "demain matin"),
    "es": ("buenos días", "la ventana", "no entiendo nada", "mucha gente", "mañana por la tarde"),
    "ja": ("ありがとう", "おはようございます", "さくら", "わかりません", "やまとかわ"),
    "cmn": ("你好", "谢谢", "我不明白", "明天下雨", "很多人"),
}
"""Speech outside the vocabulary, for which the model must learn to write nothing."""

SHARE_OF_WORDS: Final = 0.45
SHARE_OF_OTHER_SPEECH: Final = 0.05
UTTERANCE_WORDS: Final = (2, 2, 3, 3, 4, 4, 5, 6, 7, 8)


@dataclass(frozen=True)
class Clip:
    """A piece of speech and its words; no words means speech outside the vocabulary."""

    language: str
    words: tuple[str, ...]
    samples: Audio


@dataclass(frozen=True)
class Corpus:
    """All clips in one array of 16-bit samples: clip `i` is `samples[starts[i]:starts[i + 1]]`."""

    languages: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    starts: NDArray[np.int64]
    samples: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.words)

    def audio(self, index: int) -> Audio:
        """Return the samples of one clip, as floats in -1 to 1."""
        return self.samples[self.starts[index] : self.starts[index + 1]].astype(np.float32) / np.float32(32_768)

    def seconds(self, index: int) -> float:
        """Return the length of one clip in seconds."""
        return float(self.starts[index + 1] - self.starts[index]) / 16_000


def make_clip(seed: int) -> Clip:
    """Synthesise the clip of a seed: the same seed gives the same clip."""
    rng = random.Random(seed)
    kind = rng.random()
    if kind < SHARE_OF_OTHER_SPEECH:
        voice = rng.choice(list(OTHER_SPEECH))
        speaker = Speaker(voice, rng.choice(TRAINING_VARIANTS), 2 * rng.randint(55, 105), 2 * rng.randint(10, 42))
        return Clip("en", (), speak(rng.choice(OTHER_SPEECH[voice]), speaker))
    language = rng.choice(("en", "ko"))
    words = random_words(
        language, 1 if kind < SHARE_OF_OTHER_SPEECH + SHARE_OF_WORDS else rng.choice(UTTERANCE_WORDS), rng
    )
    text = rng.choice((" ", " ", " ", ", ")).join(words) + rng.choice(("", "", ".", "!", "?"))
    return Clip(language, words, speak(text, training_speaker(language, rng)))


def build(clip_count: int, *, first_seed: int, processes: int) -> Corpus:
    """Synthesise a corpus, without clips for which espeak-ng made no sound."""
    with multiprocessing.Pool(processes) as pool:
        made = pool.map(make_clip, range(first_seed, first_seed + clip_count), chunksize=200)
    clips = [clip for clip in made if len(clip.samples) > 1_600]
    samples = [np.clip(clip.samples * 32_767, -32_768, 32_767).astype(np.int16) for clip in clips]
    starts = np.cumsum([0, *(len(piece) for piece in samples)])
    return Corpus(
        tuple(clip.language for clip in clips),
        tuple(clip.words for clip in clips),
        starts,
        np.concatenate(samples),
    )


def save(corpus: Corpus, directory: Path) -> None:
    """Write `samples.npy`, `starts.npy` and `corpus.json` into a directory, which is created if missing."""
    directory.mkdir(parents=True, exist_ok=True)
    np.save(directory / "samples.npy", corpus.samples)
    np.save(directory / "starts.npy", corpus.starts)
    labels = [[language, list(words)] for language, words in zip(corpus.languages, corpus.words, strict=True)]
    (directory / "corpus.json").write_text(json.dumps(labels, ensure_ascii=False), encoding="utf-8")


def load(directory: Path) -> Corpus:
    """Map the files that `save` wrote; processes that load the same corpus share its memory."""
    labels = json.loads((directory / "corpus.json").read_text(encoding="utf-8"))
    samples = np.load(directory / "samples.npy", mmap_mode="r")
    starts = np.load(directory / "starts.npy")
    return Corpus(tuple(label[0] for label in labels), tuple(tuple(label[1]) for label in labels), starts, samples)


def main() -> None:
    """Build a corpus from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=44_000)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    corpus = build(arguments.clips, first_seed=arguments.first_seed, processes=arguments.processes)
    save(corpus, arguments.output)
    print(f"{len(corpus)} clips, {corpus.starts[-1] / 16_000 / 3_600:.1f} hours")


if __name__ == "__main__":
    main()
