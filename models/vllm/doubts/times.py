"""Times of day: those of a claim that the transcript does not contain."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from models.vllm.doubts.numerals.english import english_numbers
from models.vllm.doubts.numerals.myriads import myriad_numbers, myriad_value
from models.vllm.doubts.words import has_characters

_HOURS: Final = "twelve|eleven|ten|nine|eight|seven|six|five|four|three|two|one|1[0-2]|0?[1-9]"
_HALVES: Final = {"a": False, "p": True}
_CLOCK: Final = re.compile(
    r"(?<![\d:])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?!\d)(?:\s*(?P<half>[ap])\.?m\b\.?)?"
)
_ENGLISH: Final = re.compile(
    rf"\b(?P<hour>{_HOURS})(?:[:.\s-](?P<minute>[0-5]\d|thirty|fifteen|forty[- ]five|ten|twenty|forty|fifty))?\s*"
    r"(?:(?P<half>[ap])\.?\s?m\b\.?|o'?clock\b)"
)
_PAST: Final = re.compile(rf"\b(?P<part>half|quarter) (?P<side>past|to|after) (?P<hour>{_HOURS})\b")
_NOON: Final = re.compile(r"\b(?P<noon>noon|midday)\b|\bmidnight\b|정오|자정")
_KOREAN: Final = re.compile(
    r"(?:(?P<half>오전|아침|새벽|오후|저녁|밤)\s?(?:에\s)?)?(?<![가-힣\d])?(?P<hour>2[0-4]|1?\d|열두|열한|열|아홉|여덟|일곱|여섯|다섯|네|세|두|한)\s?시(?![간작기장])"
    r"\s?(?:(?P<thirty>반)|(?P<minute>\d{1,2}|[일이삼사오육칠팔구십]{1,3})\s?분)?"
)
_CHINESE: Final = re.compile(
    r"(?P<half>上午|早上|凌晨|清晨|下午|晚上|傍晚|中午)?(?P<hour>2[0-4]|1?\d|十[一二]|[一二两三四五六七八九十])[点點](?!了|儿|名|出|子|[一二三四五六七八九\d]+[%倍成])"
    r"(?P<rest>半|一刻|三刻|(?:[一二三四五六七八九十]{2,3}|\d{2})分?|[整钟鐘])?"
)
_KOREAN_HOURS: Final = {
    "한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9, "열": 10,
    "열한": 11, "열두": 12,
}  # fmt: skip
_AFTERNOON: Final = frozenset({"오후", "저녁", "밤", "下午", "晚上", "傍晚", "中午"})


@dataclass(frozen=True, slots=True)
class TimeMention:
    """A time of day. ``is_afternoon`` is None where nothing says which half of the day is meant."""

    text: str
    start: int
    hour: int
    minute: int
    is_afternoon: bool | None = None
    is_certain: bool = True

    def agrees_with(self, other: "TimeMention") -> bool:
        """Return whether both may be the same time."""
        is_same = (self.hour % 12, self.minute) == (other.hour % 12, other.minute)
        return is_same and (
            None in (self.is_afternoon, other.is_afternoon) or self.is_afternoon == other.is_afternoon
        )


def time_mentions(text: str) -> list[TimeMention]:
    """Return the times in folded text, in no order."""
    written = [*_korean(text), *_chinese(text)] if has_characters(text) else []
    return [*_english(text), *_noons(text), *written]


def doubtful_times(
    mentions: list[TimeMention], spoken: list[TimeMention], numbers: frozenset[float]
) -> Iterator[str]:
    """Yield the words of a claim's times that the transcript contains neither as times nor, unless it has a time
    of that hour, as numbers."""
    for mention in mentions:
        if not mention.is_certain or any(mention.agrees_with(other) for other in spoken):
            continue
        has_hour = any(mention.hour % 12 == other.hour % 12 and other.is_certain for other in spoken)
        has_numbers = {mention.hour, mention.hour % 12, mention.hour % 12 + 12} & numbers and (
            mention.minute == 0 or mention.minute in numbers
        )
        if has_hour or not has_numbers:
            yield mention.text


def _english(text: str) -> Iterator[TimeMention]:
    lower = text.lower()
    for match in (*_CLOCK.finditer(lower), *_ENGLISH.finditer(lower)):
        half = match.group("half")
        hour, minute = _value(match.group("hour")), _value(match.group("minute") or "0")
        is_afternoon = _HALVES[half.lower()] if half else True if hour > 12 else None
        yield TimeMention(text[slice(*match.span())], match.start(), hour, minute, is_afternoon)
    for match in _PAST.finditer(lower):
        minute = 30 if match.group("part").lower() == "half" else 15
        is_before = match.group("side").lower() == "to"
        hour = _value(match.group("hour")) - is_before
        yield TimeMention(text[slice(*match.span())], match.start(), hour, 60 - minute if is_before else minute)


def _noons(text: str) -> Iterator[TimeMention]:
    for match in _NOON.finditer(text.lower()):
        is_noon = bool(match.group("noon")) or match.group() == "정오"
        yield TimeMention(match.group(), match.start(), 12, 0, is_afternoon=is_noon)


def _korean(text: str) -> Iterator[TimeMention]:
    for match in _KOREAN.finditer(text):
        before = text[match.start("hour") - 1 : match.start("hour")]
        word, half = match.group("hour"), match.group("half")
        if "가" <= before <= "힣" and not half:
            continue
        hour = _KOREAN_HOURS.get(word) or int(word)
        minute = 30 if match.group("thirty") else int(myriad_value(match.group("minute") or "0"))
        yield TimeMention(match.group(), match.start(), hour, minute, _half(half, hour))


def _chinese(text: str) -> Iterator[TimeMention]:
    for match in _CHINESE.finditer(text):
        half, rest = match.group("half"), match.group("rest") or ""
        hour = int(myriad_value(match.group("hour")))
        minute = {"半": 30, "一刻": 15, "三刻": 45, "": 0}.get(rest, int(myriad_value(rest.rstrip("分整钟鐘"))))
        # 三点 may also be three points; 一点 a little.
        is_certain = bool(half or rest) and not (match.group("hour") == "一" and not half)
        yield TimeMention(match.group(), match.start(), hour, minute, _half(half, hour), is_certain)


def _half(word: str | None, hour: int) -> bool | None:
    if word is None:
        return True if hour > 12 else None
    return word in _AFTERNOON


def _value(word: str) -> int:
    if word.isdigit():
        return int(word)
    runs = [*english_numbers(word), *myriad_numbers(word)]
    return int(runs[0].values[0]) if runs else 0
