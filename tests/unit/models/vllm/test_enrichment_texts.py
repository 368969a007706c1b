"""Texts in and out of the language model: the fence holds, answers are plain, citations exist."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vllm.answers.bounds import bound_schema
from models.vllm.answers.citations import citations, with_existing_citations
from models.vllm.answers.cleaning import as_material, as_plain_text, plain_strings, without_controls
from models.vllm.answers.lengths import TokenBudget, longest_answer_tokens
from models.vllm.answers.reading import InvalidAnswer, read_answer
from models.vllm.enrichment.note_taker import POINTS_SCHEMA
from models.vllm.enrichment.profiles import load_profiles
from models.vllm.enrichment.prompts import COMPACT, FULL, build_prompt, fence, language_sentence, task_text

NONCE = "0123456789ab"
MARKED = st.text(alphabet="ab <>/[](){}`~!:.=|\n\twhttps\x00\x1b\u202e한", max_size=80)
MARKUP = re.compile(r"<[a-zA-Z/!?]|\]\(|!\[|```|~~~|[a-z][a-z0-9+.-]+://\S|[\x00-\x08\x0b-\x1f\x7f]")


@given(st.lists(MARKED, max_size=8))
def test_no_speech_can_look_like_the_fence(texts: list[str]) -> None:
    """There are exactly two fence lines, with one line per segment between them, whatever a speaker says."""
    lines = [f"[{number}] {as_material(text)}" for number, text in enumerate(texts)]
    material = fence(lines, NONCE).split("\n")
    assert len(material) == len(texts) + 2
    assert [index for index, line in enumerate(material) if line.startswith("=====")] == [0, len(texts) + 1]


@given(MARKED)
def test_special_tokens_of_chat_templates_cannot_be_spoken(text: str) -> None:
    """Templates write tokens in angle brackets, or as a word in square brackets; only the word stays."""
    tokens = "[INST][/INST] [SYSTEM_PROMPT] [gMASK][TOOL_CALLS][[CLS]] [control_8]"
    spoken = as_material(f"{text}<|im_end|></s>{tokens}<<SYS>> {text}")
    assert not set("<>\n\r") & set(spoken)
    assert not re.search(r"\[/?[a-zA-Z]\w*\]", spoken)
    assert "(SYSTEM_PROMPT)" in spoken


@given(MARKED)
def test_an_answer_is_plain_and_stays_so(text: str) -> None:
    """No tag, link, address, fence or control character remains, and cleaning again changes nothing."""
    plain = as_plain_text(text)
    assert not MARKUP.search(plain)
    assert as_plain_text(plain) == plain


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        ("see [the page](https://example.org/x) now", "see the page now"),
        ("![image](http://example.org/track.png)", "image"),
        ("<script>alert(1)</script>ok", "alert(1)ok"),
        ("<<b>b>bold", "bold"),
        ("go to www.example.org, please", "go to  please"),
        ("a < b and b > c", "a < b and b > c"),
        ("if x <y then go", "if x y then go"),
        ("회의는 화요일\u202e", "회의는 화요일"),
    ],
)
def test_markup_is_removed_and_words_stay(answer: str, plain: str) -> None:
    """Examples of each kind."""
    assert as_plain_text(answer) == plain


def test_raw_control_characters_within_strings_are_parsed_and_removed() -> None:
    """Constrained decoding lets some through where a length is bounded."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert read_answer('{"a": "one\x01 two\x1b"}', schema) == {"a": "one two"}


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', '{"b": "x"}', "[]", "null", "{" * 100_000, '{"a": "x"} x'])
def test_every_other_violation_of_the_schema_is_refused(text: str) -> None:
    """Answers that are cut off, of another type, without a field, nested without end, or followed by more."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    with pytest.raises(InvalidAnswer):
        read_answer(text, schema)


@given(st.lists(st.integers(-5, 50), max_size=20), st.frozensets(st.integers(0, 30)))
def test_citations_of_unknown_segments_are_dropped(cited: list[int], known: frozenset[int]) -> None:
    """The remaining ones are known, in their order, once each."""
    value = with_existing_citations({"points": [{"text": "x", "segment_ids": cited}], "segment_id": 99}, known)
    kept = value["points"][0]["segment_ids"]
    assert set(kept) <= known
    assert kept == list(dict.fromkeys(number for number in cited if number in known))
    assert set(citations(value)) <= known
    assert value["segment_id"] is None


@pytest.mark.parametrize("tokens", [128, 256, 1_024])
@pytest.mark.parametrize("per_character", [0.25, 1.0, 3.0])
def test_the_longest_answer_of_every_profile_fits_the_budget(tokens: int, per_character: float) -> None:
    """Bounds end an answer as valid JSON before the token limit cuts it off. A schema whose keys and shortest
    strings exceed the budget is made as small as possible."""
    budget = TokenBudget(tokens, per_character)
    least = TokenBudget(1, per_character)
    for schema in (*(p.schema for p in load_profiles().values() if p.schema), POINTS_SCHEMA):
        small = bound_schema(schema, budget)
        assert longest_answer_tokens(small, budget) <= max(
            tokens, longest_answer_tokens(bound_schema(schema, least), least)
        )


def test_unbounded_strings_and_lists_get_bounds() -> None:
    """A user's schema needs no bounds of its own."""
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}
    limited = bound_schema(schema)
    assert limited["properties"]["a"]["maxItems"] == 64
    assert limited["properties"]["a"]["items"]["maxLength"] == 2_000


def test_the_task_stands_after_the_material() -> None:
    """The task comes last, so that no transcript text follows it, and it is never in the system part."""
    prompt = build_prompt(
        FULL, ["[0] hello"], task_text("Sing.\x00", language_sentence("Korean\n", "en")), nonce=NONCE
    )
    assert prompt.user.endswith(f"====={NONCE}=====\nSing. Answer in Korean.")
    assert "Sing" not in prompt.system


def test_an_instruction_has_a_limit() -> None:
    """It is 4,000 characters, as the contract states."""
    assert len(task_text("x" * 10_000, "")) <= 4_001


def test_the_compact_texts_leave_room_in_a_context_of_512() -> None:
    """With a quarter for the answer and one token per byte, a fifth of the context is left for the transcript."""
    prompt = build_prompt(COMPACT, [], f"{COMPACT.note_task} {language_sentence(None, 'en')}", nonce=NONCE)
    assert 512 - 128 - 10 - 30 - prompt.size_bytes > 100


def test_every_invisible_character_is_removed() -> None:
    """Unicode's categories decide, except for newline, tab and the two joiners."""
    kept = set("\n\t\u200c\u200d")
    invisible = [
        c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co")
    ]
    assert set(without_controls("".join(invisible))) == kept
    visible = "가 é 漢字 🙂 a\u0301"
    assert without_controls(visible) == visible


def test_plain_strings_leaves_keys_and_numbers_alone() -> None:
    """Only what the model wrote is cleaned."""
    assert plain_strings({"a<b>": ["<i>x</i>", 1, None]}) == {"a<b>": ["x", 1, None]}


def test_there_are_ten_built_in_profiles() -> None:
    """Each has a version, a schema of type object or a way to rewrite, and a task that fits a small context."""
    profiles = load_profiles()
    answering = ["summary", "key_points", "action_items", "topics", "entities", "sentiment", "chapters", "title"]
    assert sorted(profiles) == sorted([*answering, "redact", "translation"])
    for profile in profiles.values():
        assert profile.version
        assert len(profile.task.encode()) <= 110
        assert bool(profile.schema) == (profile.name in answering)
