"""Options of decoding on real weights: each has its effect, and gives what faster-whisper gives with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faster_whisper import WhisperModel

from models.whisper.transcriber import Transcriber
from schemas.errors import InvalidOptions
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import Transcript
from tests.support.listening import speech
from tests.support.terminals import Where, kascribe

CLIP = "en/jfk.flac"
ASK, COMMA = 1029, 11
LIKE_OURS: dict[str, Any] = {
    "language": "en",
    "temperature": 0.0,
    "condition_on_previous_text": False,
    "without_timestamps": True,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
}
"""One window, one search: what both decode in the same way."""


@pytest.fixture(scope="module")
def oracle(real_whisper: Path) -> WhisperModel:
    """faster-whisper on the same weights, type and threads."""
    return WhisperModel(str(real_whisper), device="cpu", compute_type="int8", cpu_threads=2)


@pytest.fixture(scope="module")
def transcriber(real_whisper: Path) -> Iterator[Transcriber]:
    """Our engine, one call at a time."""
    settings = WhisperSettings(device="cpu", replicas=1, cpu_threads=2, decoder_processes=1)
    transcriber = Transcriber(settings, real_whisper, "base")
    yield transcriber
    transcriber.close()


def transcript(transcriber: Transcriber, clip: str = CLIP, **asked: Any) -> Transcript:
    """Transcribe a clip with these options."""
    return transcriber.transcribe(speech(clip), TranscribeOptions(language="en", **asked))


@pytest.mark.parametrize(
    "asked",
    [
        {"patience": 3.0, "length_penalty": 0.0},
        {"repetition_penalty": 1.5},
        {"no_repeat_ngram_size": 2},
        {"suppress_tokens": [-1, ASK]},
        {"suppress_tokens": [-1, COMMA], "suppress_blank": False, "beam_size": 1},
        {"prefix": "Well", "beam_size": 2, "patience": 2.0, "length_penalty": 0.5},
    ],
    ids=str,
)
def test_the_text_is_that_of_faster_whisper_with_the_same_option(
    asked: dict[str, Any], oracle: WhisperModel, transcriber: Transcriber
) -> None:
    """Alone and together; as certain, too. The gate accepts what it would decode again by default."""
    segments, _ = oracle.transcribe(str(speech(CLIP)), **LIKE_OURS, **asked)
    (expected,) = list(segments)
    ours = transcript(
        transcriber, vad=False, log_prob_threshold=-1_000.0, compression_ratio_threshold=1_000.0, **asked
    )
    assert ours.text == expected.text.strip()
    assert ours.segments[0].avg_logprob == pytest.approx(expected.avg_logprob, abs=0.02)


@pytest.mark.parametrize(
    "asked",
    [
        {"no_repeat_ngram_size": 2},
        {"prefix": "Well then"},
        {"vad_parameters": {"threshold": 0.99, "neg_threshold": 0.98, "speech_pad_ms": 0}},
    ],
    ids=str,
)
def test_an_option_changes_the_words_and_the_name_of_the_result(
    asked: dict[str, Any], transcriber: Transcriber
) -> None:
    """None is accepted and then ignored."""
    plain, tuned = transcript(transcriber), transcript(transcriber, **asked)
    assert tuned.text != plain.text
    assert tuned.provenance.options_digest != plain.provenance.options_digest
    assert transcript(transcriber, **asked).text == tuned.text


def test_thresholds_decide_what_is_published(transcriber: Transcriber) -> None:
    """A strict one flags or drops what the default accepts."""
    plain = transcript(transcriber)
    assert (plain.flags, bool(plain.text)) == ((), True)
    assert "low_confidence" in transcript(transcriber, log_prob_threshold=-0.01).flags
    assert "repetition" in transcript(transcriber, compression_ratio_threshold=0.5).flags
    silenced = transcript(transcriber, log_prob_threshold=0.0, no_speech_threshold=0.0)
    assert (silenced.text, silenced.flags) == ("", ("suppressed_no_speech",))


def test_speech_that_the_parameters_leave_out_is_not_transcribed(transcriber: Transcriber) -> None:
    """What counts as speech is what they say."""
    plain = transcript(transcriber)
    short = transcript(transcriber, vad_parameters={"min_speech_duration_ms": 30_000})
    assert (short.text, short.usage.windows) == ("", 0)
    narrow = transcript(transcriber, vad_parameters={"speech_pad_ms": 0})
    assert narrow.audio.speech_duration_seconds < plain.audio.speech_duration_seconds


def test_a_token_beyond_the_vocabulary_is_refused_before_anything_is_decoded(transcriber: Transcriber) -> None:
    """CTranslate2 would write outside its memory."""
    with pytest.raises(InvalidOptions, match="tokens 0 to 51864, not 90000"):
        transcript(transcriber, suppress_tokens=(90_000,))


def test_a_terminal_shows_the_transcript_alone(real_whisper: Path, tmp_path: Path) -> None:
    """Float16 weights on a CPU are computed in int8, without CTranslate2's warning that it takes float32."""
    command = [
        "transcribe",
        str(speech(CLIP)),
        "--model",
        str(real_whisper),
        "--device",
        "cpu",
        "--language",
        "en",
    ]
    ended = kascribe(command, Where.FILES, tmp_path)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.strip().startswith("And so")
    assert "warning" not in kascribe(command, Where.TERMINAL, tmp_path).screen
