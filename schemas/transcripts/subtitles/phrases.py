"""Cost of a break between two pieces of text: low where a clause or phrase ends. Pure.

The order of preference is that of the published guidelines: after a sentence, after punctuation, before a
conjunction, preposition or article; never between such a word and what it introduces. For languages without a
table, only punctuation, script and pauses decide.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from schemas.transcripts.joining import is_spaceless

SENTENCE: Final = 0
CLAUSE: Final = 2
PHRASE: Final = 6
PLAIN: Final = 10
INSIDE: Final = 20
"""Cost of a break within a phrase."""

_SENTENCE_ENDS: Final = tuple(".。!！?？…")
_CLAUSE_ENDS: Final = tuple(",，、;；:：—–-")
_QUOTES: Final = "\"'”’)]}»」』】）"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LEADING: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(_words(words))
    for language, words in {
        "en": "a an the and but or nor so yet because although though while when where which that who whom "
        "whose if unless until since than as of in on at by for with from to into about after before over "
        "under between through during without within against my your his her its our their this these "
        "those not am is are was were be been have has had will would can could shall should may might must do "
        "does did",
        "de": "der die das den dem des ein eine einen einem einer eines und aber oder denn sondern weil dass "
        "daß ob wenn als während obwohl damit um in im an am auf aus bei beim mit nach von vom vor zu zum "
        "zur über unter für durch gegen ohne zwischen mein meine sein seine ihr ihre kein keine",
        "fr": "le la les l' un une des du de d' au aux et mais ou donc car ni que qu' qui dont où quand si "
        "comme parce à en dans par pour sur avec sans sous entre chez vers mon ma mes son sa ses leur "
        "leurs ce cet cette ces ne",
        "es": "el la los las un una unos unas y e o u pero sino porque que quien cuando donde como si de del a "
        "al en con sin por para sobre entre desde hasta hacia mi tu su sus este esta ese esa no",
        "it": "il lo la i gli le un uno una e ed o ma però perché che chi quando dove come se di del della dei "
        "degli delle a al alla in nel nella con per su sul sulla da dal dalla tra fra senza mio suo "
        "questo questa non",
        "pt": "o a os as um uma e ou mas porque que quem quando onde como se de do da dos das em no na nos nas "
        "com sem por para sobre entre até meu seu sua este esta não",
        "nl": "de het een en maar of want omdat dat die wie wanneer waar als toen terwijl in op aan bij met "
        "naar van voor uit over onder door tegen zonder tussen mijn zijn haar hun deze dit niet",
        "sv": "en ett den det de och men eller för att som om när där eftersom i på av med till från vid hos "
        "utan mellan under över min sin hans hennes vår deras inte",
    }.items()
}
"""Words that lead to the next one: conjunctions, prepositions, articles, auxiliary verbs."""

_KOREAN_ENDINGS: Final = _words("고 며 면 서 지만 는데 은데 니까 도록 려고 거나 다 요 까 죠")
"""Endings of a clause."""
_KOREAN_DEPENDENT: Final = _words("것 거 수 때 뿐 만큼 채 적 줄 듯 데 등 후 전 중 및")
"""Beginnings of words that depend on the one before them."""
_CHINESE_ENDS: Final = frozenset("的了吗呢吧啊嘛么们得地着过很不也都就在是把被和与或")
"""Characters that do not begin a phrase of their own."""
_CHINESE_LEADS: Final = frozenset("很不也都就在是把被和与或但而因所如这那我你他她")
_CHINESE_PAIRS: Final = frozenset(
    _words(
        "正在 现在 現在 存在 就是 不是 但是 可是 还是 還是 只是 所以 因为 因為 如果 那么 那麼 "
        "我们 我們 你们 你們 他们 他們 自己 不能 为了 為了 除了 对于 對於 由于 由於 关于 關於 "
        "于是 於是 而且 以及 不过 不過 什么 什麼 怎么 怎麼 已经 已經 可以 没有 沒有"
    )
)
"""Words of two characters, one of which also stands alone."""
_CACHED_PAIRS: Final = 8_192


@lru_cache(_CACHED_PAIRS)
def break_cost(before: str, after: str, language: str | None) -> int:
    """Return the cost of a break between two adjacent pieces, 0 to ``INSIDE``."""
    bare = before.rstrip().rstrip(_QUOTES)
    if bare.endswith(_SENTENCE_ENDS):
        return SENTENCE
    if bare.endswith(_CLAUSE_ENDS):
        return CLAUSE
    if is_spaceless(before[-1]) and is_spaceless(after.lstrip()[0]):
        return _cost_without_spaces(before[-1], after.lstrip()[0])
    first, second = before.strip(), after.strip()
    if language == "ko":
        return _korean_cost(first, second)
    return _spaced_cost(first, second, _LEADING.get(language or "", frozenset()))


def _spaced_cost(before: str, after: str, leading: frozenset[str]) -> int:
    if before.lower() in leading or before[-1].isdigit():
        return INSIDE
    if after.lower().rstrip(".,;:!?") in leading:
        return PHRASE
    return PLAIN


def _korean_cost(before: str, after: str) -> int:
    if after.startswith(_KOREAN_DEPENDENT) and len(after) <= 3 or before[-1].isdigit() or len(before) == 1:  # noqa: RUF021
        return INSIDE
    return PHRASE if before.endswith(_KOREAN_ENDINGS) else PLAIN


def _cost_without_spaces(before: str, after: str) -> int:
    """Cost between characters: Japanese phrases begin where kana end; Chinese ones show by few characters."""
    scripts = _script(before), _script(after)
    if "hiragana" in scripts:
        return PHRASE if scripts[0] == "hiragana" and scripts[1] != "hiragana" else INSIDE
    if scripts == ("katakana", "katakana") or before.isdigit():
        return INSIDE
    if before + after in _CHINESE_PAIRS:
        return INSIDE
    if after in _CHINESE_LEADS and before not in _CHINESE_LEADS:
        return PHRASE
    if after in _CHINESE_ENDS:
        return INSIDE
    return PHRASE if before in _CHINESE_ENDS and before not in _CHINESE_LEADS else PLAIN


def _script(character: str) -> str:
    if "\u3041" <= character <= "\u309f":
        return "hiragana"
    if "\u30a0" <= character <= "\u30ff":
        return "katakana"
    return "other"
