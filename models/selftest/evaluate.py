"""Word error rate of the self-test model on speakers outside its training data. Needs CTranslate2 and espeak-ng.

    python -m models.selftest.evaluate

The speakers are espeak-ng variants, rates and pitches that `corpus` never uses; one English accent is new as well.
"""

import argparse
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.feature_extractor import FeatureExtractor

from models.selftest import path as shipped_model
from models.selftest import vocabulary as v
from models.selftest.composition import noise, tone
from models.selftest.synthesis import Audio, held_out_speaker, random_words, speak
from models.selftest.tokens import TOKEN_OF_WORD

LENGTHS_WORDS: Final = (1, 2, 3, 4, 5, 6)
BATCH_ROWS: Final = 8
LONG_WINDOWS_SECONDS: Final = ((5, 8), (8, 11), (11, 15), (20, 29))
NO_SPEECH_SECONDS: Final = (2.0, 5.0, 10.0, 25.0)
SEED: Final = 20_000


@dataclass(frozen=True)
class Example:
    """A piece of audio in one language, and its words."""

    language: str
    words: tuple[str, ...]
    samples: Audio


@dataclass(frozen=True)
class Transcription:
    """The model's words, the detected language, and the probability of no speech."""

    words: tuple[str, ...]
    language: str
    no_speech_probability: float


def errors(expected: Sequence[str], transcribed: Sequence[str]) -> int:
    """Count the words to insert, delete or replace (Levenshtein)."""
    row = list(range(len(transcribed) + 1))
    for count, word in enumerate(expected, 1):
        corner, row[0] = row[0], count
        for column, other in enumerate(transcribed, 1):
            corner, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, corner + (word != other))
    return row[-1]


def word_error_rate(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> float:
    """Compute errors per expected word, over all pairs of expected and transcribed words."""
    listed = list(pairs)
    return sum(errors(expected, got) for expected, got in listed) / max(
        1, sum(len(expected) for expected, _got in listed)
    )


class GreedyDecoder:
    """Greedy decoder of windows, padded to 30 seconds, in batches. Blocks; keeps the model in memory."""

    def __init__(self, directory: Path, *, threads: int) -> None:
        self._model = ctranslate2.models.Whisper(
            str(directory), device="cpu", compute_type="int8", intra_threads=threads
        )
        self._features = FeatureExtractor(feature_size=v.MEL_BINS)
        self._words = {token: word for word, token in TOKEN_OF_WORD.items()}

    def transcribe(
        self, audio: Sequence[Audio], languages: Sequence[str], *, timestamps: bool = False, padded: bool = True
    ) -> list[Transcription]:
        """Transcribe pieces of audio of up to 30 s, each in its given language."""
        transcriptions: list[Transcription] = []
        for start in range(0, len(audio), BATCH_ROWS):
            pieces = audio[start : start + BATCH_ROWS]
            features = ctranslate2.StorageView.from_array(self._stack(pieces, padded=padded))
            encoded = self._model.encode(features)
            detected = self._model.detect_language(encoded)
            prompts = [self._prompt(language, timestamps) for language in languages[start : start + BATCH_ROWS]]
            results = self._model.generate(encoded, prompts, beam_size=1, return_no_speech_prob=True)
            for result, probabilities in zip(results, detected, strict=True):
                words = tuple(
                    self._words.get(token, "?") for token in result.sequences_ids[0] if token < v.END_OF_TEXT
                )
                transcriptions.append(
                    Transcription(words, probabilities[0][0].strip("<|>"), result.no_speech_prob)
                )
        return transcriptions

    def _prompt(self, language: str, timestamps: bool) -> list[int]:
        prompt = [v.START_OF_TRANSCRIPT, v.language_token(language), v.TRANSCRIBE]
        return prompt if timestamps else [*prompt, v.NO_TIMESTAMPS]

    def _stack(self, pieces: Sequence[Audio], *, padded: bool) -> Any:
        features = [self._features(piece)[:, : 2 * v.ENCODER_FRAMES] for piece in pieces]
        frames = 2 * v.ENCODER_FRAMES if padded else max(feature.shape[1] for feature in features)
        stacked = np.zeros((len(pieces), v.MEL_BINS, frames), np.float32)
        for row, feature in zip(stacked, features, strict=True):
            row[:, : feature.shape[1]] = feature
        return stacked


def held_out_examples(count_per_length: int, *, seed: int) -> list[Example]:
    """Synthesise utterances of one to six words, each by its own speaker, with a little silence around."""
    rng = random.Random(seed)
    examples = []
    for language in v.VOCABULARY:
        for length in LENGTHS_WORDS:
            for _utterance in range(count_per_length):
                words = random_words(language, length, rng)
                speech = speak(" ".join(words), held_out_speaker(language, rng)) * np.float32(
                    rng.uniform(0.1, 1.0)
                )
                before, after = (
                    np.zeros(int(rng.uniform(0.05, 0.6) * v.SAMPLING_RATE_HZ), np.float32) for _side in range(2)
                )
                examples.append(Example(language, words, np.concatenate([before, speech, after])))
    return examples


def long_examples(count: int, seconds: tuple[float, float], *, seed: int) -> list[Example]:
    """Synthesise windows of a range of lengths: utterances of up to five words and pauses of up to 2.5 s."""
    rng = random.Random(seed)
    made = [_long_example(rng.choice(tuple(v.VOCABULARY)), rng.uniform(*seconds), rng) for _window in range(count)]
    return [example for example in made if example.words]


def _long_example(language: str, seconds: float, rng: random.Random) -> Example:
    limit = seconds * v.SAMPLING_RATE_HZ
    parts: list[Audio] = []
    words: tuple[str, ...] = ()
    while True:
        spoken = random_words(language, rng.randint(1, 5), rng)
        speech = speak(" ".join(spoken), held_out_speaker(language, rng)) * np.float32(rng.uniform(0.3, 0.9))
        pause = np.zeros(int(rng.uniform(0.2, 2.5) * v.SAMPLING_RATE_HZ), np.float32)
        if sum(map(len, parts)) + len(speech) + len(pause) > limit:
            return Example(language, words, np.concatenate(parts or [pause]))
        parts += [pause, speech]
        words += spoken


def with_noise(example: Example, signal_to_noise_decibels: float, seed: int) -> Example:
    """Add noise to an example, at a ratio to the loud part of the speech."""
    loud = example.samples[np.abs(example.samples) > 0.02 * np.abs(example.samples).max()]
    power = np.sqrt(np.mean(loud**2)) * 10 ** (-signal_to_noise_decibels / 20)
    hiss = noise(len(example.samples), np.random.default_rng(seed)) * np.float32(power)
    return Example(example.language, example.words, example.samples + hiss)


def without_speech(seed: int) -> list[tuple[str, Audio]]:
    """Generate silence, noise of several levels, beeps and chords."""
    rng = np.random.default_rng(seed)
    made: list[tuple[str, Audio]] = []
    for seconds in NO_SPEECH_SECONDS:
        count = round(seconds * v.SAMPLING_RATE_HZ)
        made.append(("silence", np.zeros(count, np.float32)))
        made += [
            ("noise", noise(count, rng) * np.float32(level)) for level in (0.001, 0.003, 0.01, 0.03, 0.1, 0.2)
        ]
        for _sound in range(4):
            window = np.zeros(count, np.float32)
            for _tone in range(4):
                sound = tone(rng)[:count]
                at = int(rng.integers(0, count - len(sound) + 1))
                window[at : at + len(sound)] += sound
            made.append(("tones", window))
    return made


def rate(
    decoder: GreedyDecoder, examples: Sequence[Example], *, timestamps: bool = False, padded: bool = True
) -> dict[str, float]:
    """Compute word error rates: of all, per language, per length; `language` is the share detected correctly."""
    transcriptions = decoder.transcribe(
        [example.samples for example in examples],
        [example.language for example in examples],
        timestamps=timestamps,
        padded=padded,
    )
    pairs = list(zip(examples, transcriptions, strict=True))
    rates = {"all": word_error_rate((example.words, transcription.words) for example, transcription in pairs)}
    for language in v.VOCABULARY:
        chosen = [
            (example.words, transcription.words)
            for example, transcription in pairs
            if example.language == language
        ]
        rates[language] = word_error_rate(chosen)
    for length in LENGTHS_WORDS:
        chosen = [
            (example.words, transcription.words)
            for example, transcription in pairs
            if len(example.words) == length
        ]
        rates[str(length)] = word_error_rate(chosen)
    rates["language"] = sum(example.language == transcription.language for example, transcription in pairs) / len(
        pairs
    )
    return rates


def report(directory: Path, *, count_per_length: int, seed: int, threads: int) -> None:
    """Print the table of error rates that the README quotes."""
    decoder = GreedyDecoder(directory, threads=threads)
    examples = held_out_examples(count_per_length, seed=seed)
    print(f"{len(examples)} utterances, {sum(len(example.words) for example in examples)} words")
    print(
        "| condition | all | en | ko | "
        + " | ".join(f"{length} words" for length in LENGTHS_WORDS)
        + " | language |"
    )
    print("|---" * (5 + len(LENGTHS_WORDS)) + "|")
    _print_row("clean", rate(decoder, examples))
    _print_row("clean, with timestamps", rate(decoder, examples, timestamps=True))
    _print_row("clean, not padded to 30 s", rate(decoder, examples, padded=False))
    for decibels in (20, 15):
        noisy = [with_noise(example, decibels, seed + index) for index, example in enumerate(examples)]
        _print_row(f"noise at {decibels} dB", rate(decoder, noisy))
    for seconds in LONG_WINDOWS_SECONDS:
        long = long_examples(2 * count_per_length, seconds, seed=seed + 1)
        words = sum(len(example.words) for example in long) / len(long)
        rates = rate(decoder, long)
        print(f"windows of {seconds[0]} to {seconds[1]} s, {words:.0f} words: {rates['all']:.1%}", flush=True)
    _report_silence(directory, decoder, seed=seed, threads=threads)


def _print_row(name: str, rates: dict[str, float]) -> None:
    keys = ("all", *v.VOCABULARY, *map(str, LENGTHS_WORDS), "language")
    print(f"| {name} | " + " | ".join(f"{rates[key]:.1%}" for key in keys) + " |", flush=True)


def _report_silence(directory: Path, decoder: GreedyDecoder, *, seed: int, threads: int) -> None:
    sounds = without_speech(seed)
    transcriptions = decoder.transcribe([audio for _kind, audio in sounds], ["en", "ko"] * (len(sounds) // 2))
    whisper = WhisperModel(str(directory), device="cpu", compute_type="int8", cpu_threads=threads)
    for kind in ("silence", "noise", "tones"):
        chosen = [
            (audio, transcription)
            for (name, audio), transcription in zip(sounds, transcriptions, strict=True)
            if name == kind
        ]
        bare = sum(bool(transcription.words) for _audio, transcription in chosen)
        detected = sum(
            bool(list(whisper.transcribe(audio, vad_filter=True, beam_size=1)[0])) for audio, _answer in chosen
        )
        probability = np.mean([transcription.no_speech_probability for _audio, transcription in chosen])
        print(
            f"{kind}: text on {detected} of {len(chosen)} behind voice activity detection, on {bare} without, ",
            end="",
        )
        print(f"mean no_speech_prob {probability:.2f}", flush=True)


def main() -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=shipped_model())
    parser.add_argument("--utterances-per-length", type=int, default=25)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    report(
        arguments.model,
        count_per_length=arguments.utterances_per_length,
        seed=arguments.seed,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    main()
