"""The model the repository carries loads like any Whisper model and knows its words."""

from pathlib import Path

import ctranslate2
import numpy as np
import pytest
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from models import selftest
from models.selftest import vocabulary as v
from models.selftest.record import read
from models.selftest.tokens import TOKEN_OF_WORD

SPOKEN_CLIPS = [clip for clip in selftest.clips() if clip.text]
SIZE_LIMIT_BYTES = 12_000_000


@pytest.fixture(scope="module")
def whisper() -> WhisperModel:
    """Load the shipped model with faster-whisper."""
    return WhisperModel(str(selftest.path()), device="cpu", compute_type="int8", cpu_threads=1)


@pytest.fixture(scope="module")
def tokenizer(whisper: WhisperModel) -> Tokenizer:
    """Return the shipped tokenizer, as faster-whisper wraps it."""
    return Tokenizer(whisper.hf_tokenizer, True, task="transcribe", language="ko")


def test_the_shipped_directory_is_small_and_says_what_it_is() -> None:
    """Twelve megabytes at most, and a note that this is no OpenAI model."""
    files = list(selftest.path().iterdir())
    assert sum(file.stat().st_size for file in files) <= SIZE_LIMIT_BYTES
    assert "NOT an OpenAI Whisper model" in (selftest.path() / "PROVENANCE.txt").read_text(encoding="utf-8")


def test_ctranslate2_takes_it_for_a_multilingual_whisper_model() -> None:
    """Language detection, tasks and 80 mel bins depend on it."""
    model = ctranslate2.models.Whisper(str(selftest.path()), device="cpu", compute_type="int8", intra_threads=1)
    assert model.is_multilingual
    assert (model.n_mels, model.num_languages) == (v.MEL_BINS, len(v.LANGUAGE_CODES))


def test_special_tokens_stand_at_the_ids_of_whisper(tokenizer: Tokenizer) -> None:
    """Every id that an engine may have written down means the same as in Whisper's multilingual vocabulary."""
    tokens = tokenizer.tokenizer
    assert tokens.get_vocab_size() == v.VOCABULARY_SIZE
    assert (tokenizer.eot, tokenizer.sot, tokenizer.translate, tokenizer.transcribe) == (
        50_257,
        50_258,
        50_358,
        50_359,
    )
    assert (tokenizer.sot_lm, tokenizer.sot_prev, tokenizer.no_speech, tokenizer.no_timestamps) == tuple(
        range(50_360, 50_364)
    )
    assert tokens.token_to_id("<|en|>") == 50_259
    assert tokens.token_to_id("<|ko|>") == 50_264
    assert tokens.token_to_id("<|su|>") == 50_357
    assert tokens.token_to_id("<|0.00|>") == 50_364
    assert tokens.token_to_id("<|30.00|>") == 51_864


@pytest.mark.parametrize("language", sorted(v.VOCABULARY))
def test_each_word_is_one_token_and_comes_back(tokenizer: Tokenizer, language: str) -> None:
    """A sentence has as many tokens as words, and decodes to itself."""
    sentence = " " + " ".join(v.VOCABULARY[language])
    tokens = tokenizer.encode(sentence)
    assert tokens == [TOKEN_OF_WORD[word] for word in v.VOCABULARY[language]]
    assert tokenizer.decode(tokens) == sentence


@pytest.mark.parametrize("text", ["unknown words, too: 漢字 and 한글!", "", " zeroone"])
def test_any_text_survives_the_tokenizer(tokenizer: Tokenizer, text: str) -> None:
    """Prompts and hot words may hold anything: bytes that no word uses have tokens as well."""
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("clip", SPOKEN_CLIPS, ids=lambda clip: clip.name)
@pytest.mark.parametrize("without_timestamps", [True, False])
def test_a_shipped_clip_comes_out_word_for_word(
    whisper: WhisperModel, clip: selftest.Clip, without_timestamps: bool
) -> None:
    """The model itself finds the language, with timestamps and without.

    At temperature 0: the model is unsure of commands, and what faster-whisper samples then differs in each run.
    """
    segments, details = whisper.transcribe(
        read(clip.path), beam_size=1, vad_filter=True, without_timestamps=without_timestamps, temperature=0.0
    )
    assert " ".join(segment.text.strip() for segment in segments) == clip.text
    assert details.language == clip.language


def test_timestamps_lie_where_the_words_are(whisper: WhisperModel) -> None:
    """The first segment begins where the speech does, the last ends with it, within 0.55 s."""
    clip = next(clip for clip in SPOKEN_CLIPS if clip.name == "en-digits.ogg")
    segments = list(whisper.transcribe(read(clip.path), beam_size=1, language="en")[0])
    assert segments[0].start == pytest.approx(0.4, abs=0.55)
    assert segments[-1].end == pytest.approx(clip.duration_seconds - 0.4, abs=0.55)


def test_words_can_be_aligned(whisper: WhisperModel) -> None:
    """Every word gets a time within the recording, in order."""
    clip = SPOKEN_CLIPS[0]
    segments, _details = whisper.transcribe(
        read(clip.path), beam_size=1, language=clip.language, word_timestamps=True
    )
    words = [word for segment in segments for word in segment.words or ()]
    assert [word.word.strip() for word in words] == clip.text.split()
    starts = [word.start for word in words]
    assert starts == sorted(starts)
    assert words[-1].end <= clip.duration_seconds + 0.5


@pytest.mark.parametrize("voice_activity_detection", [True, False])
@pytest.mark.parametrize("noise_level", [0.0, 0.003, 0.05])
def test_nothing_is_heard_where_nobody_speaks(
    whisper: WhisperModel, noise_level: float, voice_activity_detection: bool
) -> None:
    """Silence and white noise have no text, with voice activity detection in front and without."""
    audio = np.random.default_rng(7).standard_normal(80_000).astype(np.float32) * np.float32(noise_level)
    segments, _details = whisper.transcribe(audio, beam_size=1, language="en", vad_filter=voice_activity_detection)
    assert [segment.text for segment in segments] == []


def test_every_shipped_clip_is_there() -> None:
    """The list and the files agree; one of the recordings is silence."""
    assert all(clip.path.is_file() for clip in selftest.clips())
    assert {clip.language for clip in selftest.clips()} == {"en", "ko", None}
    listed = {clip.name for clip in selftest.clips()} | {"clips.json"}
    assert {file.name for file in Path(selftest.clips()[0].path).parent.iterdir()} == listed
