"""Spoken shortcuts of Korean and Chinese numbers: values that the words may mean, besides what they spell."""

import re
from collections.abc import Iterator
from typing import Final

from models.vllm.doubts.numerals.myriads import myriad_value
from models.vllm.doubts.numerals.values import as_value

_DIGITS: Final = "一二两三四五六七八九"
_LAST_DIGIT: Final = re.compile(rf"([{_DIGITS}十百千\d]*)([百千万亿])([{_DIGITS}])(?![{_DIGITS}十百千万亿点])")
_EITHER: Final = re.compile(
    rf"([{_DIGITS}])([{_DIGITS}])([十百千万亿])|([일이삼사오육칠팔구])([일이삼사오육칠팔구])([십백천만])"
)
_AND_A_HALF: Final = re.compile(
    rf"([{_DIGITS}十\d]+)(?:个|個)半|(\d+|한|두|세|네|다섯|여섯)\s?(?:시간|달|년)\s?반"
)
_KOREAN: Final = {
    "두세": (2, 3), "두어": (2, 3), "서너": (3, 4), "너댓": (4, 5), "대여섯": (5, 6), "예닐곱": (6, 7),
    "여남은": (10, 11),
}  # fmt: skip
_NATIVE: Final = {"한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6}
_TENTHS: Final = {"百": 10, "千": 100, "万": 1000, "亿": 10**7}


def colloquial_numbers(text: str) -> Iterator[float]:
    """Yield 15,000 for 一万五, 30 and 40 for 三四十, 1.5 and its minutes for 一个半, 2 and 3 for 두세."""
    for match in _LAST_DIGIT.finditer(text):
        whole, unit, last = match.groups()
        yield as_value(myriad_value(f"{whole or '一'}{unit}") + myriad_value(last) * _TENTHS[unit])
    for match in _EITHER.finditer(text):
        first, second, unit = (part for part in match.groups() if part)
        yield from (myriad_value(first + unit), myriad_value(second + unit))
    for match in _AND_A_HALF.finditer(text):
        word = match.group(1) or match.group(2)
        half = _NATIVE.get(word, 0) or myriad_value(word)
        yield from (half + 0.5, 60 * (half + 0.5), 30.0)
    for word, values in _KOREAN.items():
        if word in text:
            yield from map(float, values)
