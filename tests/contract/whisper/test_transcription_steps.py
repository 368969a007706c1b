"""A record's way through the engine, step by step, with a model that follows a script."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from models.media.pool import DecodeFailed
from models.whisper.gate import PENALTIES, Search, searches
from models.whisper.rows import EncoderInput, Hear, Row
from models.whisper.text.vocabulary import Vocabulary
from schemas.errors import AudioUndecodable, DependencyDown, EngineFailed, JobCancelled
from schemas.options import Lane, Task, TranscribeOptions
from schemas.transcripts.transcript import QualityFlag
from tests.contract.whisper.scripted_model import Script
from tests.contract.whisper.scripted_transcription import Desk
from tests.support.listening import model_directory
from tests.support.waiting import eventually

LOOP = " click" * 60


@pytest.fixture
def desk() -> Iterator[Callable[..., Desk]]:
    """Make desks, and close their engines at the end."""
    desks: list[Desk] = []

    def make(model: Script, options: TranscribeOptions | None = None, hang_timeout_seconds: float = 60) -> Desk:
        desks.append(Desk(model, options or TranscribeOptions(), hang_timeout_seconds=hang_timeout_seconds))
        return desks[-1]

    yield make
    for each in desks:
        each.model.gate.set()
        each.engine.close()


def test_a_loop_is_decoded_again_by_the_next_search(desk: Callable[..., Desk]) -> None:
    """Only as often as needed, and the transcript says so."""
    model = Script(lambda penalty, _: LOOP if penalty < PENALTIES[-1] else " hello there")
    each = desk(model)
    each.windows(4)
    (window,) = each.finish().results()
    assert [work.search for work in model.heard] == list(searches(Search(5)))
    assert window.decoded is not None
    assert (window.decoded.text, window.decoded.penalty) == (" hello there", PENALTIES[-1])
    assert window.flags == (QualityFlag.RETRIED,)


def test_a_window_in_which_every_search_loops_keeps_the_loop_once(desk: Callable[..., Desk]) -> None:
    """Text, words and the end of the segment are those of the first occurrence, and a flag says that it looped."""
    model = Script(lambda *_: LOOP)
    once = model.tokens
    model.tokens = once * 20
    each = desk(model)
    each.windows(4)
    (window,) = each.finish().results()
    assert [tokens for tokens, _ in model.aligned] == [once]
    assert window.decoded is not None
    text = Vocabulary(model_directory(), multilingual=True).text(once)
    assert (window.decoded.tokens, window.decoded.text) == (once, text)
    assert window.flags == (QualityFlag.REPETITION, QualityFlag.RETRIED)
    assert "".join(word.text for word in window.words or ()) == text


def test_speech_too_dense_for_the_token_limit_is_heard_in_halves(desk: Callable[..., Desk]) -> None:
    """Both halves stand in order, and nothing is flagged because nothing is missing."""
    each = desk(Script(lambda _, seconds: f" {seconds:g}", truncated_over_seconds=20))
    each.windows(30)
    windows = each.finish().results()
    texts = [window.decoded.text for window in windows if window.decoded is not None]
    assert texts == [" 15", " 15"]
    assert [(window.window.start_seconds, window.window.end_seconds) for window in windows] == [(0, 15), (15, 30)]
    assert all(window.flags == () for window in windows)


def test_what_stays_too_dense_is_flagged(desk: Callable[..., Desk]) -> None:
    """Halves of halves are the end of it."""
    each = desk(Script(lambda _, seconds: f" {seconds:g}", truncated_over_seconds=1))
    each.windows(30)
    windows = each.finish().results()
    assert len(windows) == 4
    assert all(window.flags == (QualityFlag.TRUNCATED_AT_TOKEN_LIMIT,) for window in windows)


def test_an_unsure_first_window_does_not_decide_the_language(desk: Callable[..., Desk]) -> None:
    """The next one is listened to, and then all are decoded in the language that was found."""
    model = Script(lambda *_: " hello there", languages="ja:0.3 ko:0.8")
    each = desk(model)
    each.windows(4, 4, 4)
    state = each.finish()
    assert state.language is not None
    assert (state.language.code, state.language.probability) == ("ko", 0.8)
    assert [work.language for work in model.heard] == ["ja", "ko", "ko", "ko"]


def test_words_are_aligned_only_for_text_that_stands(desk: Callable[..., Desk]) -> None:
    """Not for the attempts that the gate refused."""
    model = Script(lambda penalty, _: LOOP if penalty == 1 else " hello there")
    each = desk(model, TranscribeOptions(word_timestamps=True))
    each.windows(4)
    (window,) = each.finish().results()
    assert len(model.aligned) == 1
    assert window.words is not None
    assert all(0 <= word.start_seconds <= word.end_seconds <= 4 for word in window.words)


def test_a_failed_alignment_costs_the_times_and_not_the_text(desk: Callable[..., Desk]) -> None:
    """Unless words were asked for: then their absence is a failure."""
    model = Script(lambda *_: " hello there")
    model.unalignable = True
    each = desk(model)
    each.windows(20)
    (window,) = each.finish().results()
    assert window.decoded is not None
    assert window.words is None
    model = Script(lambda *_: " hello there")
    model.unalignable = True
    asked = desk(model, TranscribeOptions(word_timestamps=True))
    asked.windows(20)
    with pytest.raises(EngineFailed, match="alignment heads"):
        asked.finish()


def test_no_windows_is_no_speech(desk: Callable[..., Desk]) -> None:
    """Silence costs no inference at all."""
    each = desk(Script(lambda *_: " never"))
    each.windows()
    state = each.finish()
    assert state.results() == []
    assert state.language is None
    assert each.model.heard == []


def test_a_decoder_failure_ends_the_record_with_its_error(desk: Callable[..., Desk]) -> None:
    """Queued rows of the record are cancelled."""
    each = desk(Script(lambda *_: " hello there"))
    each.transcription.on_decoder_event(DecodeFailed(AudioUndecodable("not audio")))
    with pytest.raises(AudioUndecodable, match="not audio"):
        each.finish()
    assert each.engine.queued_rows() == 0


def test_a_call_that_hangs_fails_its_records(desk: Callable[..., Desk]) -> None:
    """The caller is told within the timeout, and the engine says that it is not well."""
    each = desk(Script(lambda *_: " hello there"), hang_timeout_seconds=0.2)
    each.model.gate.clear()
    each.windows(4)
    with pytest.raises(EngineFailed, match="hangs"):
        each.finish()
    assert not each.engine.is_healthy()


def test_who_is_not_in_the_call_that_hangs_waits_for_the_new_process(desk: Callable[..., Desk]) -> None:
    """No attempt is counted against a record for what its neighbour did."""
    each = desk(Script(lambda *_: " hello there"), hang_timeout_seconds=0.2)
    each.model.gate.clear()
    encoder_input = EncoderInput(lambda: np.zeros((80, 100), np.float32), 1.0)
    each.engine.submit(
        Row(job="a neighbour", lane=Lane.BULK, encoder_input=encoder_input, operation=Hear(Search(5)))
    )
    eventually(lambda: not each.engine.is_healthy(), timeout_seconds=30)
    each.windows(4)
    with pytest.raises(DependencyDown) as raised:
        each.finish()
    assert raised.value.dependency == "engine"


def test_cancelling_is_noticed_while_the_model_works(desk: Callable[..., Desk]) -> None:
    """A call cannot be interrupted, but the record does not wait for it."""
    each = desk(Script(lambda *_: " hello there"))
    each.model.gate.clear()
    each.windows(4)
    asked: list[None] = []

    def cancelled() -> bool:
        asked.append(None)
        return len(asked) > 8

    with pytest.raises(JobCancelled):
        each.finish(cancelled)


def test_a_window_is_decoded_as_was_asked(desk: Callable[..., Desk]) -> None:
    """Beam, task, style and names reach the model with every attempt."""
    options = TranscribeOptions(beam_size=2, task=Task.TRANSLATE, initial_prompt="Formal.", hotwords="Kafka")
    model = Script(lambda penalty, _: LOOP if penalty == 1 else " hello there", languages="ko")
    each = desk(model, options)
    each.windows(4)
    each.finish()
    vocabulary = Vocabulary(model_directory(), multilingual=True)
    context = vocabulary.context(initial_prompt="Formal.", hotwords="Kafka")
    assert [(work.context, work.language, work.task, work.search.beam_size) for work in model.heard] == [
        (context, "ko", Task.TRANSLATE, beam_size) for beam_size in (2, 1, 2)
    ]


def test_the_words_of_a_translation_are_english(desk: Callable[..., Desk]) -> None:
    """Whatever was spoken: Chinese would be cut into characters."""
    options = TranscribeOptions(task=Task.TRANSLATE, word_timestamps=True)
    model = Script(lambda *_: " hello there", languages="zh")
    vocabulary = Vocabulary(model_directory(), multilingual=True)
    model.tokens = tuple(vocabulary._plain.encode(" hello there"))
    each = desk(model, options)
    each.windows(4)
    (window,) = each.finish().results()
    assert [word.text for word in window.words or ()] == [" hello", " there"]
    assert [language for _, language in model.aligned] == ["zh"]


def test_what_was_spent_is_added_up(desk: Callable[..., Desk]) -> None:
    """Tokens and seconds of every attempt."""
    model = Script(lambda penalty, _: LOOP if penalty == 1 else " hello there")
    each = desk(model, TranscribeOptions(word_timestamps=True))
    each.windows(4, 4)
    state = each.finish()
    assert state.usage.decoded_tokens == 12
    assert state.usage.inference_seconds > 0
    assert state.usage.alignment_seconds > 0


def test_a_prefix_begins_the_first_window_alone(desk: Callable[..., Desk]) -> None:
    """Every attempt at it; its tokens are counted, since rows of a call begin their text at one place."""
    model = Script(lambda penalty, _: LOOP if penalty == 1 else " hello there", languages="en")
    each = desk(model, TranscribeOptions(prefix="Well then"))
    each.windows(4, 4)
    each.finish()
    vocabulary = Vocabulary(model_directory(), multilingual=True)
    prefix = vocabulary.prefix("Well then")
    assert sorted(work.prefix for work in model.heard) == [()] * 3 + [prefix] * 3
