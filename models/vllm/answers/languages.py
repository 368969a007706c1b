"""Languages of texts, as far as scripts and the commonest words tell. Pure."""

import re
from collections.abc import Collection
from typing import Final

from schemas.transcripts.languages import LANGUAGE_NAMES, nearest_language

LETTERS_MINIMUM: Final = 20
"""Fewer letters say nothing: a name, an abbreviation."""
WORDS_MINIMUM: Final = 8
SCRIPT_SHARE: Final = 0.25
"""Share of its letters that a text has in the script of its language, quotations and product names beside it."""
KANA_SHARE: Final = 0.1
LEAD: Final = 4
"""How many more of the commonest words another language must have."""

_SCRIPTS: Final = {
    "latin": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
    "hangul": "\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f",
    "han": "\u3400-\u4dbf\u4e00-\u9fff\u3005",
    "kana": "\u3040-\u30ff",
    "cyrillic": "\u0400-\u04ff",
    "arabic": "\u0600-\u06ff",
    "devanagari": "\u0900-\u097f",
    "thai": "\u0e00-\u0e7f",
    "greek": "\u0370-\u03ff",
    "hebrew": "\u0590-\u05ff",
}
_COUNTED: Final = {name: re.compile(f"[{letters}]") for name, letters in _SCRIPTS.items()}
_SCRIPTS_OF: Final = {
    "ko": ("hangul",), "zh": ("han",), "yue": ("han",), "ja": ("kana", "han"), "ru": ("cyrillic",),
    "uk": ("cyrillic",), "bg": ("cyrillic",), "ar": ("arabic",), "fa": ("arabic",), "ur": ("arabic",),
    "hi": ("devanagari",), "ne": ("devanagari",), "mr": ("devanagari",), "th": ("thai",), "el": ("greek",),
    "he": ("hebrew",),
} | dict.fromkeys(("en", "de", "es", "fr", "pt", "tr", "pl", "ca", "nl", "sv", "it", "id", "fi", "vi", "cs", "ro",
                   "da", "hu", "no", "hr", "sk", "sl", "et"), ("latin",))  # fmt: skip
_COMMONEST: Final = {
    "hangul": "ko", "han": "zh", "cyrillic": "ru", "arabic": "ar", "devanagari": "hi", "thai": "th", "greek": "el",
    "hebrew": "he",
}  # fmt: skip
_COMMON_WORDS: Final = {
    "en": "the and of to that is was for with are this have has they from will which been were would",
    "de": "der die das und ist nicht mit ein eine auf den dem für sich von dass wird auch werden sind",
    "fr": "le la les des une est dans pour que qui sur pas avec sont au cette elle été mais ses",
    "es": "el la los las una es en que por con para del se su como pero está más fue sobre",
    "it": "il la di che è per una con sono del della non più gli anche alla nel questo ha dei",
    "pt": "o a os as uma é em que não com para do da se mais como foi dos por são",
    "nl": "de het een van en is dat niet op met voor zijn aan er ook maar door wordt bij naar",
}
_WORDS: Final = {code: frozenset(words.split()) for code, words in _COMMON_WORDS.items()}
_WORD: Final = re.compile(r"[^\W\d_]+")
_NAMED: Final = re.compile(
    r"\b(?:translat\w*|"
    + "|".join(map(re.escape, LANGUAGE_NAMES.values()))
    + r")\b|번역|[가-힣]어로|翻译|翻譯|翻訳|[中英韩日法德]文|語で",
    re.IGNORECASE,
)


def code_of(language: str | None) -> str | None:
    """Return the code of a language that is named or coded; None where that is not clear."""
    if not language:
        return None
    code = language.strip().lower()
    if code in LANGUAGE_NAMES:
        return code
    named = next((one for one, name in LANGUAGE_NAMES.items() if name.lower() == code), None)
    return named or nearest_language(code)


def language_of_script(text: str) -> str:
    """Return the commonest language of the script that most letters of a text are in."""
    counts = {name: len(pattern.findall(text)) for name, pattern in _COUNTED.items()}
    if counts["kana"]:
        return "ja"
    return _COMMONEST.get(max(counts, key=lambda name: counts[name]), "en")


def names_a_language(task: str) -> bool:
    """Return whether a task speaks of a language or a translation."""
    return _NAMED.search(task) is not None


def is_in_another_language(text: str, languages: Collection[str]) -> bool:
    """Return whether a text is surely in none of the languages. Short texts and rare languages never are."""
    return bool(languages) and all(_is_foreign(text, code) for code in languages)


def _is_foreign(text: str, code: str) -> bool:
    scripts = _SCRIPTS_OF.get(code)
    counts = {name: len(pattern.findall(text)) for name, pattern in _COUNTED.items()}
    # A syllable or an ideograph says as much as several Latin letters.
    weights = {name: count * (3 if name in ("hangul", "han", "kana") else 1) for name, count in counts.items()}
    total = sum(weights.values())
    if scripts is None or total < LETTERS_MINIMUM:
        return False
    if sum(weights[name] for name in scripts) < SCRIPT_SHARE * total:
        return True
    if code in ("zh", "yue"):
        return counts["kana"] > KANA_SHARE * (counts["han"] + counts["kana"])
    if code == "ja":
        return counts["kana"] < KANA_SHARE * (counts["han"] + counts["kana"])
    return code in _WORDS and _is_of_another(text, code)


def _is_of_another(text: str, code: str) -> bool:
    """Return whether the commonest words of another language stand in a text, and hardly any of its own."""
    words = [word.lower() for word in _WORD.findall(text)]
    if len(words) < WORDS_MINIMUM:
        return False
    hits = {other: sum(word in common for word in words) for other, common in _WORDS.items()}
    most = max(hits.values())
    return most >= hits[code] + LEAD and most >= 3 * hits[code]
