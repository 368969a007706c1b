"""Tokens to text and words."""

import pytest

from models.whisper.text.vocabulary import Vocabulary
from tests.support.listening import model_directory


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """Of a small model; all multilingual models before large-v3 share it."""
    return Vocabulary(model_directory(), multilingual=True)


@pytest.mark.parametrize(
    ("text", "language"),
    [(" 안녕하세요 꽃", "ko"), (" 하나 둘뷁", "ko"), ("我们龘", "zh"), (" naïve café", "fr")],
)
def test_words_and_text_agree_wherever_the_token_limit_cuts(
    vocabulary: Vocabulary, text: str, language: str
) -> None:
    """A character that was cut in two is in neither, however many of its bytes are there."""
    tokens = tuple(vocabulary._plain.encode(text))
    for end in range(1, len(tokens) + 1):
        cut = tokens[:end]
        words = vocabulary.words(cut, language=language)
        assert "\ufffd" not in vocabulary.text(cut)
        assert "".join(word for word, _ in words).strip() == vocabulary.text(cut).strip()
        assert sum(count for _, count in words) <= end
    assert vocabulary.text(tokens) == text


def test_a_nul_is_in_no_text_and_no_word(vocabulary: Vocabulary) -> None:
    """The tokenizer has a token for every byte; databases and players end a text at that one."""
    tokens = tuple(vocabulary._plain.encode(" one\0 two"))
    assert "\0" in vocabulary._plain.decode(list(tokens))
    assert vocabulary.text(tokens) == " one two"
    assert "".join(word for word, _ in vocabulary.words(tokens, language="en")) == " one two"
