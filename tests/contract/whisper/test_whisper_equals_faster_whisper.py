"""With one row per call and the same options, the engine's tokens are faster-whisper's."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.audio import decode_audio

from models.media.speech.features import LogMel
from models.whisper.gate import Decoded, Search
from models.whisper.inference.model import WhisperModel as WhisperModelUnderTest
from models.whisper.rows import Alignment, Features, Hear, Heard
from models.whisper.text.vocabulary import CONTEXT_TOKENS
from models.whisper.transcriber import Transcriber
from schemas.options import Task, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import QualityFlag
from tests.support.listening import model_directory, speech

CLIPS = {
    "en-digits.ogg": "en",
    "en-commands.ogg": "en",
    "ko-digits.ogg": "ko",
    "ko-commands.ogg": "ko",
    "en/fsdd_7_george_0.wav": "en",
}
"""Clips, with their languages, that pass at once the gate that faster-whisper's batched mode lacks."""

COMPUTE_TYPE = "float32"
"""int8 rounds activations: on some processors the last digit of a feature moves a log-probability by 0.007."""


@pytest.fixture(scope="module")
def oracle() -> BatchedInferencePipeline:
    """faster-whisper's batched pipeline on the same weights and threads."""
    return BatchedInferencePipeline(
        WhisperModel(str(model_directory()), device="cpu", compute_type=COMPUTE_TYPE, cpu_threads=1)
    )


@pytest.fixture(scope="module")
def transcriber() -> Iterator[Transcriber]:
    """Our engine, one replica of one thread."""
    settings = WhisperSettings(
        device="cpu", compute_type=COMPUTE_TYPE, replicas=1, cpu_threads=1, decoder_processes=1
    )
    transcriber = Transcriber(settings, model_directory(), "test")
    yield transcriber
    transcriber.close()


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(
    "asked",
    [
        {"beam_size": 1},
        {"beam_size": 5},
        {"initial_prompt": "seven eight nine"},
        {"hotwords": "seven", "initial_prompt": "one two"},
    ],
    ids=["greedy", "beam", "prompt", "hotwords"],
)
def test_text_is_that_of_faster_whisper(
    clip: str, asked: dict[str, Any], oracle: BatchedInferencePipeline, transcriber: Transcriber
) -> None:
    """Same windows, prompt and search give the same words, as certain."""
    segments, _ = oracle.transcribe(str(speech(clip)), language=CLIPS[clip], batch_size=1, **asked)
    expected = list(segments)
    ours = transcriber.transcribe(speech(clip), TranscribeOptions(language=CLIPS[clip], **asked))
    assert ours.segments
    assert QualityFlag.RETRIED not in ours.flags
    assert ours.text == "".join(segment.text for segment in expected).strip()
    assert ours.segments[0].avg_logprob == pytest.approx(expected[0].avg_logprob, abs=1e-3)
    assert ours.segments[0].no_speech_prob == pytest.approx(expected[0].no_speech_prob, abs=1e-3)


def test_the_language_is_that_of_faster_whisper(
    oracle: BatchedInferencePipeline, transcriber: Transcriber
) -> None:
    """Detection looks at the same window."""
    clip = speech("en-digits.ogg")
    _, facts = oracle.transcribe(str(clip), batch_size=1)
    ours = transcriber.transcribe(clip, TranscribeOptions())
    assert ours.language == facts.language
    assert ours.language_probability == pytest.approx(facts.language_probability, abs=1e-3)
    assert len(ours.all_language_probs) == 5


def test_words_lie_where_faster_whisper_puts_them(
    oracle: BatchedInferencePipeline, transcriber: Transcriber
) -> None:
    """The same words begin within half a second; ours end sooner where faster-whisper's reach over a silence."""
    clip = speech("en-digits.ogg")
    segments, _ = oracle.transcribe(str(clip), language="en", batch_size=1, word_timestamps=True)
    expected = [word for segment in segments for word in segment.words or ()]
    ours = transcriber.transcribe(clip, TranscribeOptions(language="en", word_timestamps=True))
    words = [word for segment in ours.segments for word in segment.words or ()]
    assert [word.word for word in words] == [word.word for word in expected]
    for word, oracle_word in zip(words, expected, strict=True):
        assert word.start == pytest.approx(oracle_word.start, abs=0.5)
        assert word.start <= word.end <= oracle_word.end + 0.5
        assert word.probability == pytest.approx(oracle_word.probability, abs=0.02)


def test_rows_in_one_batch_get_the_answers_that_they_get_alone() -> None:
    """Languages and tasks may differ from row to row; nothing leaks between rows."""
    settings = WhisperSettings(device="cpu", compute_type="float32", replicas=1, cpu_threads=1)
    model = WhisperModelUnderTest(settings, model_directory())
    names = ("en-digits.ogg", "ko-digits.ogg", "en-commands.ogg")
    asked = (("en", Task.TRANSCRIBE), ("ko", Task.TRANSCRIBE), ("ko", Task.TRANSLATE))
    kinds = [
        [Hear(Search(2), language=code, task=task, words=True) for code, task in asked],
        [Hear(Search(5), language=None, spans=((0, 60), (60, 100)))] * 3,
    ]
    for kind in kinds:
        together = _heard(model, names, kind)
        alone = [_heard(model, [name], [operation])[0] for name, operation in zip(names, kind, strict=True)]
        assert [_rounded(answer) for answer in together] == [_rounded(answer) for answer in alone]
        assert all(answer.alignment is not None for answer in together) == kind[0].words
    model.close()


def test_text_that_cannot_be_aligned_costs_no_other_row_its_words() -> None:
    """CTranslate2 refuses a text longer than the decoder's context; the time is shared by all rows of the call."""
    settings = WhisperSettings(device="cpu", compute_type="float32", replicas=1, cpu_threads=1)
    model = WhisperModelUnderTest(settings, model_directory())
    facts = {"avg_logprob": 0.0, "no_speech_prob": 0.0, "penalty": 1.0, "truncated": False}
    too_long = Decoded(tokens=(400,) * CONTEXT_TOKENS, text="as it was decoded before", **facts)  # type: ignore[arg-type]
    asked = [
        Hear(Search(1), words=True, attempts=(too_long,)),
        Hear(Search(1), words=True),
        Hear(Search(1)),
    ]
    refused, aligned, without = _heard(model, ["en-digits.ogg", "en-commands.ogg", "en-digits.ogg"], asked)
    assert isinstance(refused.alignment, RuntimeError)
    assert isinstance(aligned.alignment, Alignment)
    assert without.alignment is None
    assert refused.alignment_seconds == aligned.alignment_seconds == without.alignment_seconds > 0
    model.close()


def _heard(model: WhisperModelUnderTest, names: Sequence[str], operations: Sequence[Hear]) -> Sequence[Heard]:
    with model.prepare([_features(name, model.mel_bands) for name in names]) as batch:
        return model.hear(batch, operations)


def _features(name: str, mel_bands: int) -> Features:
    return LogMel(mel_bands)(decode_audio(str(speech(name))))


def _rounded(answer: Heard) -> object:
    """Return a result without the last digits of its probabilities."""
    alignment = answer.alignment if isinstance(answer.alignment, Alignment) else None
    return (
        answer.language,
        answer.decoded.tokens,
        round(answer.decoded.avg_logprob, 2),
        answer.judgement.action,
        [(each[0][0], round(each[0][1], 2)) for each in (answer.languages, *answer.spans) if each],
        alignment
        and (alignment.starts_seconds, [round(probability, 2) for probability in alignment.probabilities]),
    )
