"""Spaces between texts that follow each other are those that a reader of their scripts expects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.transcripts.joining import join_texts


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        ([" Good morning.", " How are you?"], "Good morning. How are you?"),
        (["안녕하세요.", "반갑습니다."], "안녕하세요. 반갑습니다."),
        (["今天天气", "很好"], "今天天气很好"),
        (["我们使用", " Kafka", " Streams", "处理数据"], "我们使用 Kafka Streams 处理数据"),
        (["今天天气很好。", "Kafka", "。"], "今天天气很好。Kafka。"),
        (["「はい」", "そうです"], "「はい」そうです"),
        (["共", "5", "个"], "共 5 个"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["He said", "你好", "世界", "and left"], "He said 你好世界 and left"),
        (["", " ", "one", "", "two", " "], "one two"),
        ([], ""),
    ],
)
def test_a_space_stands_where_a_writer_puts_one(texts: list[str], text: str) -> None:
    """Between words of scripts that have spaces, and between such a word and one of another script."""
    assert join_texts(texts) == text


@given(st.lists(st.text(alphabet=" aZ9.가天あก。\U00020000", max_size=6), max_size=8))
def test_joining_loses_nothing_and_can_go_on_from_what_is_joined(texts: list[str]) -> None:
    """Text that is told bit by bit is the text that is told at once."""
    whole = join_texts(texts)
    assert "".join(whole.split()) == "".join("".join(text.split()) for text in texts)
    so_far = ""
    for text in texts:
        so_far = join_texts((so_far, text))
    assert so_far == whole
