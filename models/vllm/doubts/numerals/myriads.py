"""Korean and Chinese numbers: digits and characters with units up to ten thousand and a hundred million."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from models.vllm.doubts.numerals.values import NumberRun, as_value, digits_of

_KOREAN_DIGITS: Final = {
    "영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9,
}  # fmt: skip
_CHINESE_DIGITS: Final = {
    "〇": 0, "零": 0, "一": 1, "二": 2, "两": 2, "兩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8,
    "九": 9,
}  # fmt: skip
_DIGITS: Final[Mapping[str, int]] = {**_KOREAN_DIGITS, **_CHINESE_DIGITS}
_SMALL_UNITS: Final[Mapping[str, int]] = {"십": 10, "백": 100, "천": 1000, "十": 10, "百": 100, "千": 1000}
_MYRIADS: Final[Mapping[str, int]] = {"만": 10**4, "억": 10**8, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}

_ARABIC: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_KOREAN: Final = "영공일이삼사오육륙칠팔구십백천만억"
_CHINESE: Final = "〇零一二两兩三四五六七八九十百千万萬亿億"
KOREAN_COUNTERS: Final = (
    "시간|개월|주일|주년|번째|퍼센트|프로|달러|유로|위안|사람|가지|군데|단계|인분|킬로|미터|센티|그램|리터|페이지|시|분|초|개|명|살|번|달|주|장|권|"
    "대|마리|배|쪽|병|잔|건|곳|차례|채|벌|통|팀|년|월|일|층|호|원|엔|도|점|인|회|차|세|평|박|등|위|석|항|조|%"
)
"""Counters and units that follow Korean numbers."""
_CHINESE_MEASURES: Final = (
    "百分|小时|分钟|公里|公斤|公司|美元|欧元|人民币|季度|星期|个|位|名|人|天|年|月|日|号|周|次|点|點|分|秒|元|块|角|台|件|套|张|本|条|只|家|层|楼|"
    "岁|米|吨|度|倍|成|页|章|节|批|份|种|项|步|轮|期|届|班|间|辆|箱|瓶|杯|所|处|款|股|万|千|百|亿|%"
)
_NOT_NUMBERS: Final = frozenset(
    {
        "이만",
        "천만",
        "만일",
        "이천",
        "사천",
        "이일",
        "일이",
        "이사",
        "사이",
        "일일",
        "千万",
        "万一",
        "十分",
        "一一",
        "百万",
        "三三两两",
        "구구",
        "이이",
    }
)
_END: Final = r"(?=$|[\s.,!?%)\]\"']|은|는|이|가|을|를|에|의|도|만|와|과|로|으로|" + KOREAN_COUNTERS + ")"
_MIXED: Final = re.compile(
    rf"(?:{_ARABIC})\s?[십백천만억十百千万萬亿億](?:\s?(?:(?:{_ARABIC})\s?)?[십백천만억十百千万萬亿億])*(?:\s?(?:{_ARABIC}))?"
)
_KOREAN_RUN: Final = re.compile(rf"(?<![가-힣\d])[{_KOREAN}]+(?:(?<=[만억])\s[{_KOREAN}]+)*{_END}")
_KOREAN_POINT: Final = re.compile(rf"(?<![가-힣])([{_KOREAN}]+)\s?[점쩜]\s?([{_KOREAN[:12]}]+)")
_CHINESE_RUN: Final = re.compile(rf"(?<![第\d])[{_CHINESE}]+(?:点[{_CHINESE[:12]}]+(?!分))?")
_CHINESE_ORDINAL: Final = re.compile(rf"第([{_CHINESE}]+)")
_SHARE: Final = re.compile(rf"([{_CHINESE}\d]+)分之([{_CHINESE}\d.点]+)")
_MEASURED: Final = re.compile(rf"\s?(?:{_CHINESE_MEASURES})")
_PIECE: Final = re.compile(rf"{_ARABIC}|[{_KOREAN}{_CHINESE}]")

_NATIVE_TENS: Final = {
    "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80,
    "아흔": 90,
}  # fmt: skip
_NATIVE_ONES: Final = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "넷": 4, "네": 4, "넉": 4, "다섯": 5,
    "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9,
}  # fmt: skip
_NEEDS_COUNTER: Final = frozenset({"한", "두", "세", "석", "네", "넉", "열", "쉰"})
_NATIVE_BEGINNINGS: Final = "".join(sorted({word[0] for word in (*_NATIVE_TENS, *_NATIVE_ONES)}))
_NATIVE: Final = re.compile(
    rf"(?=[{_NATIVE_BEGINNINGS}])(?<![가-힣])({'|'.join(_NATIVE_TENS)})?({'|'.join(_NATIVE_ONES)})?"
    rf"(?:(?=\s?(?P<counter>{KOREAN_COUNTERS}))|{_END})"
)


def myriad_numbers(text: str) -> Iterator[NumberRun]:
    """Yield numbers written with Korean or Chinese characters, digits with such units among them."""
    yield from _shares(text)
    for match in _MIXED.finditer(text):
        yield _run(match.group(), match.start(), is_certain=True)
    for match in _KOREAN_RUN.finditer(text):
        word = match.group()
        is_compound = len(word) > 1 and word not in _NOT_NUMBERS and bool(set(word) & _SMALL_UNITS.keys())
        yield _run(word, match.start(), is_certain=is_compound)
    for match in _KOREAN_POINT.finditer(text):
        value = myriad_value(match.group(1)) + float(f"0.{digits_of(_DIGITS[one] for one in match.group(2))}")
        yield NumberRun((as_value(value),), "", match.group(), match.start(), is_certain=False)
    yield from _chinese(text)
    yield from _native(text)


def myriad_value(word: str) -> float:
    """Return the value of a number in characters, digits or both, such as 3천5백만. 0 for no number."""
    total = section = 0.0
    number: float | None = None
    for piece in _PIECE.findall(word):
        if piece in _DIGITS:
            number = float(_DIGITS[piece]) if number is None else number * 10 + _DIGITS[piece]
        elif piece in _SMALL_UNITS:
            section += (1.0 if number is None else number) * _SMALL_UNITS[piece]
            number = None
        elif piece in _MYRIADS:
            whole = section + (number or 0.0)
            total += (whole or 1.0) * _MYRIADS[piece]
            section, number = 0.0, None
        else:
            number = float(piece.replace(",", ""))
    return as_value(total + section + (number or 0.0))


def _run(word: str, start: int, *, is_certain: bool) -> NumberRun:
    if all(one in _DIGITS for one in word):
        digits = digits_of(_DIGITS[one] for one in word)
        parts = tuple(float(one) for one in digits) if len(digits) < 3 else ()
        return NumberRun((float(digits),), digits, word, start, is_certain, parts)
    value = myriad_value(word)
    written = tuple(float(one.replace(",", "")) for one in re.findall(_ARABIC, word))
    return NumberRun((value,), digits_of([value]), word, start, is_certain, written)


def _shares(text: str) -> Iterator[NumberRun]:
    for match in _SHARE.finditer(text):
        whole, part = myriad_value(match.group(1)), _with_point(match.group(2))
        share = part if whole == 100 else as_value(part / (whole or 1.0))
        yield NumberRun((share,), "", match.group(), match.start(), is_certain=whole == 100, parts=(part, whole))


def _with_point(word: str) -> float:
    whole, _, decimals = word.partition("点")
    value = float(whole) if whole.replace(".", "", 1).isdigit() else myriad_value(whole)
    return as_value(value + (float(f"0.{digits_of(_DIGITS[one] for one in decimals)}") if decimals else 0.0))


def _chinese(text: str) -> Iterator[NumberRun]:
    for match in _CHINESE_ORDINAL.finditer(text):
        yield _run(match.group(1), match.start(), is_certain=False)
    for match in _CHINESE_RUN.finditer(text):
        word, end = match.group(), match.end()
        if "点" in word:
            yield NumberRun((_with_point(word),), "", word, match.start(), is_certain=False)
            continue
        is_measured = bool(_MEASURED.match(text, end))
        is_compound = len(word) > 1 and word not in _NOT_NUMBERS
        in_share = text.startswith("分之", end) or text.endswith("分之", 0, match.start())
        certain = not in_share and word not in {"一", "零"} and (is_compound or is_measured)
        yield _run(word, match.start(), is_certain=certain)


def _native(text: str) -> Iterator[NumberRun]:
    for match in _NATIVE.finditer(text):
        tens, ones = match.group(1) or "", match.group(2) or ""
        word = tens + ones
        if not word or (word in _NEEDS_COUNTER and not match.group("counter")):
            continue
        value = float(_NATIVE_TENS.get(tens, 0) + _NATIVE_ONES.get(ones, 0))
        yield NumberRun((value,), "", word, match.start(), is_certain=value > 1)
