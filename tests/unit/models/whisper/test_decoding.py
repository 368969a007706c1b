"""From options to a search and thresholds; what rows of one call share."""

import numpy as np
import pytest

from models.whisper.gate import Search, Thresholds
from models.whisper.options.capabilities import Capabilities
from models.whisper.options.decoding import search_of, thresholds_of
from models.whisper.rows import BatchKey, EncoderInput, Hear, Row
from schemas.errors import InvalidOptions
from schemas.options import Lane, Task, TranscribeOptions

KNOWN = Capabilities("m", frozenset({"en"}), translates=False)


def key(operation: Hear) -> BatchKey:
    """Return what a row of this operation shares with the others of its call."""
    encoder_input = EncoderInput(lambda: np.zeros((80, 1), np.float32), 1.0)
    return Row(job="job", lane=Lane.BULK, encoder_input=encoder_input, operation=operation).key


def test_options_that_are_not_set_leave_the_search_as_it_was() -> None:
    """One beam size, no penalties, the thresholds of Whisper's authors."""
    assert search_of(TranscribeOptions()) == Search(5)
    assert thresholds_of(TranscribeOptions()) == Thresholds()


def test_each_option_has_its_place_in_the_search() -> None:
    """As CTranslate2 and the gate take it."""
    asked = TranscribeOptions(
        beam_size=4,
        repetition_penalty=1.2,
        patience=2,
        length_penalty=0.5,
        no_repeat_ngram_size=3,
        suppress_tokens=(7,),
        suppress_blank=False,
        compression_ratio_threshold=2,
        log_prob_threshold=-0.5,
        no_speech_threshold=0.7,
    )
    assert search_of(asked) == Search(4, 1.2, 2.0, 0.5, 3, (7,), suppress_blank=False)
    assert thresholds_of(asked) == Thresholds(2.0, -0.5, 0.7)


def test_rows_share_a_call_only_with_the_same_search_and_the_same_prefix_length() -> None:
    """CTranslate2 takes one set of options per call, and starts the text of all rows at one place."""
    plain = Hear(Search(5))
    assert key(plain) == key(Hear(Search(5), language=None, task=Task.TRANSLATE, words=True))
    others = [
        Hear(Search(5, patience=2.0)),
        Hear(Search(5, suppress_tokens=(7,))),
        Hear(Search(5), prefix=(1,)),
        Hear(Search(5), context=(1,)),
    ]
    assert len({key(plain), *map(key, others)}) == 5


def test_a_token_that_the_model_lacks_is_refused() -> None:
    """CTranslate2 would write outside its memory."""
    KNOWN.check(TranscribeOptions(suppress_tokens=(-1, KNOWN.token_count - 1)))
    with pytest.raises(InvalidOptions, match=f"suppress_tokens: m has tokens 0 to {KNOWN.token_count - 1}, not"):
        KNOWN.check(TranscribeOptions(suppress_tokens=(KNOWN.token_count,)))


def test_options_that_contradict_each_other_are_refused() -> None:
    """An event cannot be refused for this by its schema."""
    with pytest.raises(InvalidOptions, match="patience: beam_size is 1"):
        KNOWN.check(TranscribeOptions(beam_size=1, patience=2))
