"""Dates: months, days, weekdays and relative dates of a claim that the transcript does not contain."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from models.vllm.doubts.numerals.english import ORDINALS
from models.vllm.doubts.numerals.myriads import myriad_value
from models.vllm.doubts.words import has_characters

_MONTHS: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH_NUMBERS: Final = {
    **{name: number for number, name in enumerate(_MONTHS, 1)},
    **{name[:3]: number for number, name in enumerate(_MONTHS, 1)},
    "sept": 9,
}
_WEEKDAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_KOREAN_WEEKDAYS: Final = "월화수목금토일"
_CHINESE_WEEKDAYS: Final = {**{one: number for number, one in enumerate("一二三四五六日")}, "天": 6}

_NAMES: Final = "|".join(sorted(_MONTH_NUMBERS, key=len)[::-1])
_LONGEST_FIRST: Final = sorted(ORDINALS, key=len)[::-1]
_SIMPLE: Final = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_DAY: Final = rf"(?:[0-3]?\d(?:st|nd|rd|th)?|(?:twenty|thirty)[\s-](?:{_SIMPLE})|{'|'.join(_LONGEST_FIRST)})"
_CHARACTERS: Final = "일이삼사오육칠팔구십一二三四五六七八九十"
_NUMBER: Final = rf"(?:\d{{1,2}}|[{_CHARACTERS}]{{1,3}}|유|시)"

_ENGLISH: Final = re.compile(
    rf"\b(?P<month>{_NAMES})\b\.?\s+(?:the\s+)?(?P<day>{_DAY})\b(?!:|\s*(?:am|pm)\b)|\b(?P<day2>{_DAY})\s+(?:day\s+)?(?:of\s+)?(?P<month2>{_NAMES})\b",
    re.IGNORECASE,
)
_ISO: Final = re.compile(r"(?<!\d)\d{4}[-./](?P<month>0?[1-9]|1[0-2])[-./](?P<day>[0-3]?\d)(?!\d)")
_CHARACTER_DATE: Final = re.compile(
    rf"(?<![가-힣\d.])(?P<month>{_NUMBER})\s?(?:월(?!요일|급|간|세)|月(?!份?[分])份?)(?:\s?(?P<day>\d{{1,2}}|[{_CHARACTERS}]{{1,3}})\s?(?:일|日|号|號))?"
)
_CHINESE_MONTH: Final = re.compile(
    r"(?P<month>\d{1,2}|[一二三四五六七八九十]{1,2})月(?:份)?(?:(?P<day>\d{1,2}|[一二三四五六七八九十]{1,3})[日号號])?"
)
WINDOW_CHARACTERS: Final = 24
"""Text around a hint that a date may take."""
_MONTH_HINT: Final = re.compile(
    r"\b(?:[Jj]an|[Ff]eb|[Mm]ar|[Aa]pr|[Mm]ay|[Jj]u[nl]|[Aa]ug|[Ss]ep|[Oo]ct|[Nn]ov|[Dd]ec)"
)
_MONTH_ALONE: Final = re.compile(
    rf"\b(?P<month>{'|'.join(_MONTHS)}|(?:Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)\b\.?)\b", re.IGNORECASE
)
_CERTAIN_MAY: Final = re.compile(
    r"\b(?:in|by|since|until|till|of|from|during|early|mid|late|this|next|last|before|after|through)[\s-]+(?:May|March)\b"
)
_WEEKDAY: Final = re.compile(
    rf"\b(?P<english>{'|'.join(_WEEKDAYS)})s?\b|(?P<korean>[{_KOREAN_WEEKDAYS}])요일|(?:星期|周|週|礼拜|禮拜)(?P<chinese>[一二三四五六日天])(?![个年天])",
)
_RELATIVE: Final[dict[str, tuple[str, str]]] = {
    "today": (
        r"\btoday\b|\btonight\b|\bthis (?:morning|afternoon|evening)\b",
        r"오늘|금일|今天|今晚|今日|今早",
    ),
    "tomorrow": (
        r"(?<!after )\btomorrow\b",
        r"내일|명일|明天|明日|明早|明晚",
    ),
    "the day after tomorrow": (
        r"\bday after tomorrow\b",
        r"모레|后天|後天",
    ),
    "yesterday": (
        r"(?<!before )\byesterday\b|\blast night\b",
        r"어제|어젯밤|昨天|昨晚|昨日",
    ),
    "this week": (
        r"\bthis week\b",
        r"이번\s?주(?!말)|금주|这周|这个星期|本周|这星期",
    ),
    "next week": (
        r"\b(?:next|following|coming) week\b",
        r"다음\s?주|차주|내주|下周|下个星期|下星期|下礼拜",
    ),
    "last week": (
        r"\b(?:last|previous|past) week\b",
        r"지난\s?주|저번\s?주|上周|上个星期|上星期",
    ),
    "this month": (
        r"\bthis month\b",
        r"이번\s?달|이달|금월|这个月|本月",
    ),
    "next month": (
        r"\b(?:next|following|coming) month\b",
        r"다음\s?달|내달|下个月|下月",
    ),
    "last month": (
        r"\b(?:last|previous|past) month\b",
        r"지난\s?달|저번\s?달|上个月|上月",
    ),
    "this year": (
        r"\bthis year\b",
        r"올해|금년|今年",
    ),
    "next year": (
        r"\bnext year\b",
        r"내년|明年",
    ),
    "last year": (
        r"\b(?:last|previous) year\b",
        r"작년|지난해|去年",
    ),
    "the weekend": (
        r"\bweekends?\b",
        r"주말|周末",
    ),
    "the end of the week": (
        r"\bend of (?:the |this )?week\b",
        r"",
    ),
    "the end of the month": (
        r"\bend of (?:the |this )?month\b",
        r"월말|월 말|이달\s?말|月底|月末",
    ),
    "the end of the year": (
        r"\bend of (?:the |this )?year\b",
        r"연말|年底|年末",
    ),
}
"""English words by what they mean, and Korean and Chinese ones."""
_MEANINGS: Final = tuple(_RELATIVE)
_ANY_RELATIVE: Final = re.compile(
    "|".join(f"(?P<r{at}>{'|'.join(filter(None, parts))})" for at, parts in enumerate(_RELATIVE.values()))
)
_CHARACTER_RELATIVE: Final = re.compile("|".join(characters for _, characters in _RELATIVE.values() if characters))
_RELATIVE_HINT: Final = re.compile(
    r"\b(?:to(?:day|night|morrow)|yesterday|(?:this|last|next|following|coming|previous|past) "
    r"(?:week|month|year|morning|afternoon|evening|night)|weekends?|end of)\b"
)


@dataclass(frozen=True, slots=True)
class DateMention:
    """A date in text, with what of it is said. A month and a weekday count from 1 and 0."""

    text: str
    start: int
    month: int | None = None
    day: int | None = None
    weekday: int | None = None
    relative: str | None = None
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class SpokenDates:
    """The dates of a transcript."""

    months: frozenset[int]
    days: frozenset[tuple[int, int]]
    weekdays: frozenset[int]
    relatives: frozenset[str]

    @classmethod
    def of(cls, mentions: list[DateMention]) -> "SpokenDates":
        """Collect mentions."""
        return cls(
            frozenset(one.month for one in mentions if one.month),
            frozenset((one.month, one.day) for one in mentions if one.month and one.day),
            frozenset(one.weekday for one in mentions if one.weekday is not None),
            frozenset(one.relative for one in mentions if one.relative),
        )

    def contain(self, mention: DateMention, numbers: frozenset[float]) -> bool:
        """Return whether the transcript has a claim's date. ``numbers`` are those that belong to no date."""
        if mention.relative:
            return mention.relative in self.relatives
        if mention.weekday is not None:
            return mention.weekday in self.weekdays
        if mention.month not in self.months:
            return False
        return mention.day is None or (mention.month, mention.day) in self.days or float(mention.day) in numbers


def date_mentions(text: str) -> list[DateMention]:
    """Return the dates in folded text, in no order."""
    return list(dict.fromkeys([*_calendar(text), *_weekdays(text), *_relatives(text)]))


def doubtful_dates(mentions: list[DateMention], spoken: SpokenDates, numbers: frozenset[float]) -> Iterator[str]:
    """Yield the words of a claim's dates that the transcript does not contain."""
    for mention in mentions:
        if mention.is_certain and not spoken.contain(mention, numbers):
            yield mention.text


def _calendar(text: str) -> Iterator[DateMention]:
    """Yield dates with a month. English ones are looked for around the names of months."""
    certain: set[int] = set()
    for hint in _MONTH_HINT.finditer(text):
        start, end = max(hint.start() - WINDOW_CHARACTERS, 0), hint.end() + WINDOW_CHARACTERS
        yield from (_english_date(match) for match in _ENGLISH.finditer(text, start, end))
        certain.update(match.end() for match in _CERTAIN_MAY.finditer(text, start, end))
        if match := _MONTH_ALONE.match(text, hint.start()):
            yield _month_alone(match, certain)
    patterns = (_ISO, _CHARACTER_DATE, _CHINESE_MONTH) if has_characters(text) else (_ISO,)
    for match in (match for pattern in patterns for match in pattern.finditer(text)):
        month = _number(match.group("month"))
        if 1 <= month <= 12:
            day_text = match.group("day")
            yield DateMention(match.group(), match.start(), month, _number(day_text) if day_text else None)


def _english_date(match: re.Match[str]) -> DateMention:
    name = match.group("month") or match.group("month2")
    day = _day(match.group("day") or match.group("day2"))
    is_verb = name in {"may", "march"} or (name.lower() in {"mar", "dec", "jan"} and not name[0].isupper())
    return DateMention(match.group(), match.start(), _MONTH_NUMBERS[name.lower()], day, is_certain=not is_verb)


def _month_alone(match: re.Match[str], certain: Collection[int]) -> DateMention:
    name = match.group("month").rstrip(".")
    is_ambiguous = name.lower() in {"may", "march"}
    is_certain = match.end() in certain if is_ambiguous else name[0].isupper()
    return DateMention(name, match.start(), _MONTH_NUMBERS[name.lower()], is_certain=is_certain)


def _weekdays(text: str) -> Iterator[DateMention]:
    for match in _WEEKDAY.finditer(text.lower()):
        if english := match.group("english"):
            weekday = _WEEKDAYS.index(english)
        elif korean := match.group("korean"):
            weekday = _KOREAN_WEEKDAYS.index(korean)
        else:
            weekday = _CHINESE_WEEKDAYS[match.group("chinese")]
        yield DateMention(text[slice(*match.span())], match.start(), weekday=weekday)


def _relatives(text: str) -> Iterator[DateMention]:
    """Yield relative dates. Each is looked for around the few words that one of them has."""
    lower = text.lower()
    spans = [match.span() for match in _RELATIVE_HINT.finditer(lower)]
    if has_characters(text):
        spans += [match.span() for match in _CHARACTER_RELATIVE.finditer(lower)]
    for start, end in spans:
        for match in _ANY_RELATIVE.finditer(lower, max(start - WINDOW_CHARACTERS, 0), end + WINDOW_CHARACTERS):
            meaning = _MEANINGS[int((match.lastgroup or "r0")[1:])]
            # 今年六岁 is said of any age: no claim about a year.
            is_certain = meaning != "this year"
            words = text[slice(*match.span())]
            yield DateMention(words, match.start(), relative=meaning, is_certain=is_certain)


def _day(word: str) -> int:
    word = word.lower()
    if word[0].isdigit():
        return int(re.sub(r"\D", "", word))
    tens, _, ones = word.replace("-", " ").partition(" ")
    return ORDINALS[word] if word in ORDINALS else {"twenty": 20, "thirty": 30}[tens] + ORDINALS[ones.strip()]


def _number(word: str) -> int:
    return {"유": 6, "시": 10}.get(word) or int(myriad_value(word))
