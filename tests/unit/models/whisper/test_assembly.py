"""A transcript names its language and what to doubt, and is spaced as a person writes."""

import pytest

from models.media.messages import ContainerOpened, DecodeFinished
from models.media.speech.windows import SAMPLE_RATE_HERTZ, Span, Window
from models.whisper.assembly import assemble
from models.whisper.decode_unit import DecodeUnit
from models.whisper.gate import Decoded
from models.whisper.languages.one import SpokenLanguage
from models.whisper.rows import EncoderInput
from models.whisper.state import InferenceUsage, TranscriptionState
from models.whisper.text.segments import WindowResult
from models.whisper.text.words import TimedWord
from schemas.errors import EngineFailed
from schemas.options import Task, TranscribeOptions
from schemas.transcripts.transcript import LanguageGuess, QualityFlag, Transcript, TranscriptStatus
from tests.sound.provenance import PROVENANCE

KOREAN = SpokenLanguage("ko", 0.9, (LanguageGuess(language="ko", probability=0.9),))


def window(start: float, end: float, channel: int | None = None) -> Window:
    """Return a window of one span, in seconds."""
    span = Span(int(start * SAMPLE_RATE_HERTZ), int(end * SAMPLE_RATE_HERTZ))
    return Window(channel=channel, spans=(span,), frames=100, offset_bytes=0)


def decoded(text: str) -> Decoded:
    """Return a good result."""
    return Decoded((1,), text, avg_logprob=-0.25, no_speech_prob=0.01, penalty=1.0, truncated=False)


def heard(*windows: WindowResult, spoken: SpokenLanguage | None = KOREAN, **found: bool) -> TranscriptionState:
    """Return the state of a record that is complete."""
    units = [
        DecodeUnit(one.window, EncoderInput(lambda: pytest.fail("the sound is not read again"), 1.0), result=one)
        for one in windows
    ]
    return TranscriptionState(
        opened=ContainerOpened(
            container="wav", codec="pcm", channel_count=2, sample_rate_hertz=8_000, declared_seconds=9.0
        ),
        opened_at=11.5,
        finished=DecodeFinished(
            audio_seconds=10.0,
            speech_seconds=8.0,
            decode_seconds=0.1,
            vad_seconds=0.2,
            features_seconds=0.3,
            **found,
        ),
        language=spoken,
        units=units,
        usage=InferenceUsage(inference_seconds=1.0, alignment_seconds=0.5, decoded_tokens=7),
    )


def transcript(known: TranscriptionState, options: TranscribeOptions | None = None) -> Transcript:
    """Assemble the transcript, started at second 11 and ended at second 14."""
    return assemble(known, options or TranscribeOptions(), PROVENANCE, started_at=11.0, ended_at=14.0)


def test_a_transcript_is_in_the_language_that_was_spoken() -> None:
    """In the whole and in every segment, with how sure that is."""
    made = transcript(
        heard(WindowResult(window(0, 2), decoded(" 안녕")), WindowResult(window(3, 4), decoded(" 하세요")))
    )
    assert (made.status, made.text) == (TranscriptStatus.COMPLETED, "안녕 하세요")
    assert (made.language, made.language_probability) == ("ko", 0.9)
    assert made.all_language_probs == KOREAN.guesses
    assert [segment.language for segment in made.segments] == ["ko", "ko"]


def test_a_translation_names_the_language_that_was_spoken_and_is_itself_english() -> None:
    """A reader that picks a voice or a spell checker for a segment needs the language of its words."""
    one = WindowResult(window(0, 2), decoded(" hello"))
    made = transcript(heard(one), TranscribeOptions(task=Task.TRANSLATE))
    assert (made.task, made.language) == (Task.TRANSLATE, "ko")
    assert [segment.language for segment in made.segments] == ["en"]


def test_flags_are_those_of_the_segment_and_of_the_whole() -> None:
    """The reader sees where to look twice, and the event that there is something to look at."""
    doubtful = WindowResult(window(0, 2), decoded(" a"), (QualityFlag.RETRIED, QualityFlag.LOW_CONFIDENCE))
    suppressed = WindowResult(window(5, 6), None, (QualityFlag.SUPPRESSED_NO_SPEECH,))
    made = transcript(heard(doubtful, WindowResult(window(3, 4), decoded(" b")), suppressed))
    assert [segment.flags for segment in made.segments] == [doubtful.flags, ()]
    assert set(made.flags) == {*doubtful.flags, *suppressed.flags}
    assert transcript(heard(suppressed, downmix_replaced=True)).flags == (
        QualityFlag.SUPPRESSED_NO_SPEECH,
        QualityFlag.DOWNMIX_REPLACED,
    )
    assert transcript(heard(incomplete=True)).flags == (QualityFlag.AUDIO_INCOMPLETE,)
    assert transcript(heard()).flags == ()


def test_without_words_there_is_no_language() -> None:
    """Noise has none, whatever the model guessed."""
    made = transcript(heard(WindowResult(window(0, 2), None)))
    assert (made.status, made.text, made.segments) == (TranscriptStatus.NO_SPEECH, "", ())
    assert (made.language, made.language_probability, made.all_language_probs) == (None, None, ())


@pytest.mark.parametrize("channel", [None, 0])
def test_chinese_gets_no_spaces_and_latin_words_keep_theirs(channel: int | None) -> None:
    """In mixed audio and in split channels alike, turn by turn in the order of time."""
    other = None if channel is None else 1
    made = transcript(
        heard(
            WindowResult(window(0, 2, channel), decoded("我们使用")),
            WindowResult(window(2, 4, channel), decoded(" Kafka")),
            WindowResult(window(4, 6, other), decoded("处理")),
            WindowResult(window(6, 8, channel), decoded("数据。")),
            spoken=SpokenLanguage("zh"),
        )
    )
    assert made.text == "我们使用 Kafka 处理数据。"


def test_words_are_there_when_asked_for() -> None:
    """Aligned words without the wish give times alone."""
    one = WindowResult(window(0, 2), decoded(" hi"), (), (TimedWord(" hi", 0.2, 0.9, 0.8),))
    (plain,) = transcript(heard(one)).segments
    assert (plain.start, plain.end, plain.words) == (0.2, 0.9, None)
    (worded,) = transcript(heard(one), TranscribeOptions(word_timestamps=True)).segments
    assert [word.word for word in worded.words or ()] == [" hi"]


def test_what_it_cost_is_told_stage_by_stage() -> None:
    """Waiting, decoding, the engine's share and the whole, in seconds."""
    made = transcript(heard(WindowResult(window(0, 2), decoded(" hi"))))
    assert made.timing.model_dump(exclude_none=True) == {
        "queue_seconds": 0.5,
        "decode_seconds": 0.1,
        "vad_seconds": 0.2,
        "features_seconds": 0.3,
        "inference_seconds": 1.0,
        "alignment_seconds": 0.5,
        "total_seconds": 3.0,
    }
    assert made.usage.model_dump() == {
        "audio_seconds": 10.0,
        "inference_seconds": 1.5,
        "windows": 1,
        "decoded_tokens": 7,
    }
    assert (made.audio.audio_duration_seconds, made.audio.speech_duration_seconds) == (10.0, 8.0)


def test_a_record_that_was_not_decoded_to_its_end_gives_no_transcript() -> None:
    """It is tried again."""
    half = heard()
    half.finished = None
    with pytest.raises(EngineFailed):
        transcript(half)
