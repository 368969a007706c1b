"""The gate on answers: nothing is found in good ones, and every kind of bad one is found."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from models.vllm.answers.gate import FATAL, Expected, flags_of
from models.vllm.answers.parts import reaches_a_bound
from models.vllm.answers.repetition import is_digit_run, is_loop
from models.vllm.enrichment.profiles import Profile, for_instruction, load_profiles
from models.vllm.enrichment.prompts import FULL, language_sentence, task_text
from models.vllm.enrichment.request import EnrichRequest
from models.vllm.enrichment.results import expected_languages
from schemas.transcripts.answer_flags import AnswerFlag
from schemas.transcripts.transcript import Segment
from tests.unit.models.vllm.answers.good_answers import GOOD

NONCE: Final = "9f86d081884c"
PROFILES: Final = load_profiles()
INSTRUCTION: Final = for_instruction("Say in a few sentences what it is about, or list it.")


def expected_of(profile: Profile, language: str, answer_language: str | None = None) -> Expected:
    """Return what is expected of an answer about the transcript of this language."""
    lines = GOOD[language][0]
    segments = tuple(
        Segment(id=number, start=number, end=number + 1, text=text) for number, text in enumerate(lines)
    )
    request = EnrichRequest("job", segments, language, (profile,), answer_language=answer_language)
    task = task_text(profile.task, language_sentence(answer_language, language))
    return Expected(
        tuple(f"[{number}] {text}" for number, text in enumerate(lines)),
        f"{FULL.system}\n{task}",
        NONCE,
        profile.schema,
        expected_languages(profile, request),
        profile.may_be_empty,
    )


def found(name: str, answer: Any, language: str = "en", **options: str) -> set[AnswerFlag]:
    """Return the flags of an answer to a profile, or to an instruction."""
    profile = PROFILES.get(name, INSTRUCTION)
    return set(flags_of(answer, expected_of(profile, language, **options)))


def good_answers() -> Iterator[tuple[str, str, Any]]:
    """Yield language, profile and answer of each good one."""
    for language, (_, answers) in GOOD.items():
        for name, answer in answers:
            yield language, name, answer


@pytest.mark.parametrize(("language", "name", "answer"), list(good_answers()))
def test_a_good_answer_passes(language: str, name: str, answer: Any) -> None:
    """In English, Korean and Chinese, short ones, empty ones where that is an answer, and lists of numbers."""
    assert found(name, answer, language) == set()


def test_there_are_forty_good_answers() -> None:
    """In three languages, of every profile that answers, and of instructions."""
    everything = list(good_answers())
    assert len(everything) >= 40
    assert {name for _, name, _ in everything} == {
        "instruction",
        *(name for name, profile in PROFILES.items() if profile.schema),
    }


def points(*texts: str) -> dict[str, Any]:
    """Return key points with these texts."""
    return {"key_points": [{"text": text, "segment_ids": [0]} for text in texts]}


def item(task: str, owner: str | None = None) -> dict[str, Any]:
    """Return an action item."""
    return {"task": task, "owner": owner, "due": None, "segment_ids": [1]}


def summary(text: str) -> dict[str, Any]:
    """Return a summary with this text."""
    return {"summary": text, "segment_ids": [0]}


BAD: Final[list[tuple[str, str, Any, AnswerFlag]]] = [
    ("en", "summary", summary(f"====={NONCE}====="), AnswerFlag.FENCE),
    ("en", "instruction", f"The valve is broken.\n={NONCE[:10]}", AnswerFlag.FENCE),
    ("en", "title", {"title": NONCE.upper()}, AnswerFlag.FENCE),
    ("en", "instruction", "The valve of the dishwasher is broken, so Peter comes.\n=====", AnswerFlag.FENCE),
    ("ko", "title", {"title": "===== 여름 행사 ====="}, AnswerFlag.FENCE),
    ("en", "action_items", {"action_items": [item("Call", "123456789012345678")]}, AnswerFlag.DIGIT_RUN),
    ("en", "action_items", {"action_items": [item("Call back", "0" * 40)]}, AnswerFlag.DIGIT_RUN),
    ("zh", "title", {"title": "会议 202220222022202220222022"}, AnswerFlag.DIGIT_RUN),
    ("en", "instruction", "The text is the one that is cited. " * 9, AnswerFlag.REPETITION),
    ("en", "summary", summary("It leaks. " + "The visit is on Thursday at nine. " * 5), AnswerFlag.REPETITION),
    (
        "en",
        "instruction",
        "".join(f"[{number}] The proposal is against the visit.\n" for number in range(12)),
        AnswerFlag.REPETITION,
    ),
    (
        "en",
        "summary",
        summary(
            "The valve is broken. Peter comes soon. " * 2 + "It leaks a lot. The valve is broken. It leaks a lot."
        ),
        AnswerFlag.REPETITION,
    ),
    ("en", "title", {"title": "The 2022-03-01 2022-03-01 2022-03-01 2022-03-01"}, AnswerFlag.REPETITION),
    ("ko", "summary", summary("회의를 합니다 회의를 합니다 회의를 합니다 회의를 합니다"), AnswerFlag.REPETITION),
    ("ko", "instruction", "여름 행사를 준비합니다. " * 6, AnswerFlag.REPETITION),
    ("zh", "summary", summary("会议会议会议会议会议会议会议"), AnswerFlag.REPETITION),
    ("zh", "instruction", "我们讨论图书馆。" * 6, AnswerFlag.REPETITION),
    ("en", "key_points", points(*["The valve is broken."] * 6), AnswerFlag.REPETITION),
    ("en", "key_points", points("It leaks.", "It leaks!", "Peter comes."), AnswerFlag.DUPLICATE_ITEMS),
    ("zh", "key_points", points("读者希望借书。", "读者希望借书", "要修电脑。"), AnswerFlag.DUPLICATE_ITEMS),
    (
        "en",
        "summary",
        summary("Summarise it in a short paragraph. Cite the segments that the summary rests on."),
        AnswerFlag.TASK_ECHO,
    ),
    ("en", "instruction", "Say in a few sentences what it is about, or list it.", AnswerFlag.TASK_ECHO),
    ("en", "title", {"title": "Give it a title of at most ten words."}, AnswerFlag.TASK_ECHO),
    ("en", "key_points", {"key_points": []}, AnswerFlag.EMPTY),
    ("ko", "topics", {"topics": []}, AnswerFlag.EMPTY),
    ("zh", "chapters", {"chapters": []}, AnswerFlag.EMPTY),
    ("en", "summary", summary(""), AnswerFlag.EMPTY),
    ("ko", "summary", summary("The meeting is about an event in the summer."), AnswerFlag.WRONG_LANGUAGE),
    ("ko", "title", {"title": "Planning a big summer event"}, AnswerFlag.WRONG_LANGUAGE),
    ("zh", "instruction", "図書館の開館時間について話し合いました。", AnswerFlag.WRONG_LANGUAGE),
    ("zh", "summary", summary("회의에서 도서관의 운영 시간을 논의했습니다."), AnswerFlag.WRONG_LANGUAGE),
    ("en", "summary", summary("식기세척기의 밸브가 고장 나서 수리합니다."), AnswerFlag.WRONG_LANGUAGE),
    (
        "en",
        "summary",
        summary("Die Spülmaschine ist undicht, und das Ventil ist kaputt, so dass Peter mit einem neuen kommt."),
        AnswerFlag.WRONG_LANGUAGE,
    ),
    ("en", "sentiment", {"sentiment": "mixed", "reason": "mixed", "segment_ids": [0]}, AnswerFlag.SHORT),
    ("en", "instruction", "OK.", AnswerFlag.SHORT),
    ("ko", "summary", summary("네, 알겠습니다"), AnswerFlag.SHORT),
    ("zh", "summary", summary("好的"), AnswerFlag.SHORT),
]


@pytest.mark.parametrize(("language", "name", "answer", "flag"), BAD)
def test_a_bad_answer_is_flagged(language: str, name: str, answer: Any, flag: AnswerFlag) -> None:
    """Kinds of answers that a small model gave, in other words."""
    assert flag in found(name, answer, language)


def test_an_answer_in_the_requested_language_is_not_foreign() -> None:
    """By code or by name; then the transcript's own language is the wrong one."""
    korean, english = (
        summary("여름 행사를 준비하는 회의이다."),
        summary("The meeting plans an event in the summer."),
    )
    assert found("summary", english, "ko", answer_language="English") == set()
    assert found("summary", english, "ko", answer_language="en") == set()
    assert found("summary", korean, "ko", answer_language="English") == {AnswerFlag.WRONG_LANGUAGE}
    assert found("summary", korean, "ko", answer_language="a language of its own") == set()


def test_an_instruction_that_names_a_language_may_be_answered_in_any() -> None:
    """Only the user knows which one is meant."""
    for task in ("Translate it into French.", "Sum it up in Korean.", "영어로 요약해 주세요.", "请翻译成英文。"):
        expected = expected_of(for_instruction(task), "zh")
        assert flags_of("La réunion porte sur les heures d'ouverture de la bibliothèque.", expected) == ()


def test_a_number_that_was_said_is_no_run() -> None:
    """Account numbers may be long; endless ones are not in the transcript."""
    assert not is_digit_run("Account 111111111111111.", "the account 111111111111111 is mine")
    assert is_digit_run("Account 111111111111111.")
    assert not is_digit_run("Call 010-1234-5678, order 4938271650428.")
    assert found("title", {"title": 10**20}) >= {AnswerFlag.DIGIT_RUN}


def test_lines_of_punctuation_in_a_row_are_a_loop() -> None:
    """One rule between paragraphs is none."""
    assert is_loop("Ask not.\n******\n*******\n*******\n*******")
    assert not is_loop("The first part.\n---\nThe second part.\n---\nThe third part.\n---\nThe end.")


@pytest.mark.parametrize(
    ("material", "is_run"),
    [
        ("we open the library on monday", True),
        ("on 3 march at 5", True),
        ("my number is 0 1 0 1 2 3 4 5 6 7 8", False),
        ("call zero one zero, one two three four, five six seven eight", False),
        ("번호는 공일공 일이삼사 오육칠팔 입니다", False),
        ("电话是一三八零零一三八零零零", False),
    ],
)
def test_a_long_number_needs_digits_in_the_recording(material: str, is_run: bool) -> None:
    """Written or spoken, in English, Korean and Chinese; the model may write them together."""
    assert is_digit_run("Call 01012345678.", material) is is_run


@pytest.mark.parametrize(
    "text",
    ["No, no, no, no.", "Ha ha ha.", "1, 2, 3, 4, 5, 6, 7", "First, call. Second, call again.", "조금 조금"],
)
def test_emphasis_and_lists_are_no_loops(text: str) -> None:
    """A word may be said several times."""
    assert not is_loop(text)


def test_short_material_allows_short_and_empty_answers() -> None:
    """Two words of speech cannot become a paragraph."""
    expected = Expected(("[0] Hello there.",), "", NONCE, PROFILES["key_points"].schema, may_be_empty=False)
    assert flags_of({"key_points": []}, expected) == ()
    assert flags_of(points("Hello."), expected) == ()


def test_loops_and_the_fence_are_fatal_and_nothing_else() -> None:
    """An answer that goes round in circles informs no reader; other flags ask for a review."""
    assert {AnswerFlag.FENCE, AnswerFlag.DIGIT_RUN, AnswerFlag.REPETITION} == FATAL


STRINGS: Final = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 20},
        "points": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 10}},
        "one": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "string"}},
        "segment_ids": {"type": "array", "maxItems": 2, "items": {"type": "integer"}},
        "kind": {"enum": ["something rather long"]},
        "note": {"anyOf": [{"type": "string", "maxLength": 8}, {"type": "null"}]},
        "there": {"$ref": "#/$defs/there"},
    },
    "$defs": {"there": {"type": "string", "maxLength": 6}},
}


@pytest.mark.parametrize(
    ("answer", "is_cut"),
    [
        ({"text": "a" * 20}, True),
        ({"text": "the valve is brok"}, True),
        ({"text": "the valve is old."}, False),
        ({"text": "the valve is"}, False),
        ({"points": ["a", "b", "c"]}, True),
        ({"points": ["a", "b"]}, False),
        ({"points": ["a", "b" * 10]}, True),
        ({"one": ["a"]}, False),
        ({"segment_ids": [1, 2]}, False),
        ({"kind": "something rather long"}, False),
        ({"note": "12345678"}, True),
        ({"note": None}, False),
        ({"there": "123456"}, True),
    ],
)
def test_a_string_or_list_at_its_bound_is_truncated(answer: dict[str, Any], is_cut: bool) -> None:
    """Citations do not count, and neither do choices and lists of one length."""
    assert reaches_a_bound(answer, STRINGS) is is_cut
