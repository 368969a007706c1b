"""Names and owners of an answer that the transcript does not contain, compared part by part in one script."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from models.vllm.doubts.word_lists import word_list
from models.vllm.doubts.words import script_of, stem, tokens, without_particle

SIMILAR_FROM_CHARACTERS: Final = 4
"""Names of so many letters may differ by one: speech is not spelled."""
TITLE_SHARE: Final = 0.6
"""Share of capitalised words from which a text is a heading: its capitals say nothing."""

ROLES: Final = word_list("roles")
KOREAN_ROLES: Final = word_list("korean_roles")
CHINESE_ROLES: Final = word_list("chinese_roles")
CAPITALISED: Final = word_list("capitalised")
GIVEN_NAMES: Final = word_list("given_names")

_CAPITALISED: Final = re.compile(r"(?<![\w'])[A-Z\u00c0-\u00de][\w]*(?:'[A-Za-z]+)?(?:-[A-Z]\w*)*")
_SENTENCE_END: Final = re.compile(r"(?:^|[.!?:;\n•*\-\"(“]|\d\))\s*[\"'(]*$")
_HONORIFIC: Final = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Sir|Madam)\.?\s+$")
_WORD: Final = re.compile(r"[A-Za-z][\w']+")

_KOREAN_TITLES: Final = (
    "씨|님|과장|대리|부장|차장|팀장|실장|본부장|사장|대표|이사|상무|전무|교수|선생|박사|주임|사원|"
    "매니저|원장|소장|국장|회장|점장|반장|조장|감독|기사|담임|간호사|변호사|기자|코치|군|양"
)
_KOREAN_NAME: Final = re.compile(rf"(?<![가-힣])([가-힣]{{2,4}}?)\s?(?:{_KOREAN_TITLES})(?:님)?(?![가-힣]{{3}})")
_KOREAN_SURNAMED: Final = re.compile(
    r"(?<![가-힣])([김박최][가-힣]{2})(?:이|가|은|는|에게|의|와|과|도|께서|한테)(?![가-힣])"
)
_KOREAN_NO_NAMES: Final = word_list("korean_no_names")
_CHINESE_SURNAMES: Final = "".join(sorted(word_list("chinese_surnames")))
_CHINESE_TITLES: Final = "先生|女士|小姐|经理|老师|医生|博士|主任|律师|总监|教授|主管|工程师|师傅|总"
_CHINESE_NAME: Final = re.compile(rf"([{_CHINESE_SURNAMES}][\u4e00-\u9fff]{{0,2}}?)(?:{_CHINESE_TITLES})")
_CHINESE_ACTING: Final = re.compile(
    r"(?:^|[,。、;:，；：和与由请让给\s])([王李张刘陈杨赵吴徐孙朱胡郭罗][\u4e00-\u9fff]{1,2}?)(?=将|负责|表示|同意|需要|会在|会把|提出|承诺|答应|认为|建议)"
)
_CHINESE_NICKNAME: Final = re.compile(rf"[小老]([{_CHINESE_SURNAMES}])(?=[将会要说负在的和与去把]|$)")
_NONE: Final = re.compile(
    r"^(?:none|null|n/?a|tbd|unknown|unclear|not (?:specified|mentioned|stated|assigned|given)|-|미정|없음|"
    r"未定|无|未知|未指定)\.?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SpokenWords:
    """The words of a transcript, for comparison with names."""

    stems: frozenset[str]
    joined: str
    """Everything in lower case without spaces."""
    initials: str
    """The first letters of the words, for acronyms."""
    script: str | None

    @classmethod
    def of(cls, text: str, words: Sequence[str]) -> "SpokenWords":
        """Collect the words of folded text; ``words`` are its tokens."""
        different = set(words)
        stems = different.union(map(stem, different))
        return cls(
            frozenset(stems), "".join(text.lower().split()), "".join(word[0] for word in words), script_of(text)
        )

    def contain(self, part: str) -> bool:
        """Return whether the transcript has one part of a name, or a word that differs from it by a letter."""
        word = part.lower()
        if word in self.stems or stem(word) in self.stems or word in self.joined:
            return True
        if part.isupper() and word in self.initials:
            return True
        return len(word) >= SIMILAR_FROM_CHARACTERS and any(
            _differ_by_one(word, other)
            for other in self.stems
            if other[0] == word[0] and abs(len(other) - len(word)) < 2
        )


def doubtful_names(claim: str, spoken: SpokenWords) -> Iterator[str]:
    """Yield the names in a folded claim that the transcript does not contain.

    Names in Latin letters are compared with a transcript in Latin letters only: no rule writes a name in
    another script.
    """
    if spoken.script == "latin":
        yield from (name for name in _latin_names(claim) if not spoken.contain(name))
    elif spoken.script == "hangul":
        for match in (*_KOREAN_NAME.finditer(claim), *_KOREAN_SURNAMED.finditer(claim)):
            name = match.group(1)
            if name not in _KOREAN_NO_NAMES and name not in KOREAN_ROLES and not _has_korean_name(name, spoken):
                yield name
    elif spoken.script == "han":
        for match in (
            *_CHINESE_NAME.finditer(claim),
            *_CHINESE_ACTING.finditer(claim),
            *_CHINESE_NICKNAME.finditer(claim),
        ):
            name = match.group(1)
            if name not in spoken.joined and not any(role.startswith(name) for role in CHINESE_ROLES):
                yield match.group()


def doubtful_owner(value: str, spoken: SpokenWords) -> str | None:
    """Return the part of a folded owner that the transcript does not contain, else None.

    Roles such as "the caller" name no person. An owner in another script than the transcript's is not compared.
    """
    if _NONE.match(value.strip()) or script_of(value) not in (spoken.script, None):
        return None
    for token in tokens(value):
        if token.isdigit() or token in ROLES or stem(token) in ROLES or token.removesuffix("s") in ROLES:
            continue
        if script_of(token) == "hangul":
            name = _without_title(without_particle(token))
            if name in KOREAN_ROLES or _without_title(token) in KOREAN_ROLES or _has_korean_name(name, spoken):
                continue
        elif script_of(token) == "han":
            name = re.sub(f"(?:{_CHINESE_TITLES})$", "", token) or token
            if token in CHINESE_ROLES or name in CHINESE_ROLES or name in spoken.joined:
                continue
        elif len(token) < 2 or spoken.contain(token):
            continue
        return token
    return None


def _latin_names(claim: str) -> Iterator[str]:
    is_heading = _is_heading(claim)
    for match in _CAPITALISED.finditer(claim):
        word = re.sub(r"'s?$|'(?:ll|d|ve|re)$", "", match.group())
        lower, before = word.lower(), claim[: match.start()]
        if any(letter.isdigit() for letter in word):
            continue  # B12: the number is compared by its own rule
        if lower in CAPITALISED or lower in ROLES or lower.removesuffix("s") in ROLES or len(word) < 2:
            continue
        is_named = bool(_HONORIFIC.search(before)) or lower in GIVEN_NAMES
        if not is_named and (is_heading or _SENTENCE_END.search(before)):
            continue
        yield from (part for part in word.split("-") if part.lower() not in CAPITALISED and len(part) > 1)


def _is_heading(claim: str) -> bool:
    words = [word for word in _WORD.findall(claim) if len(word) > 3]
    return len(words) > 1 and sum(word[0].isupper() for word in words) >= TITLE_SHARE * len(words)


def _has_korean_name(name: str, spoken: SpokenWords) -> bool:
    """Return whether a Korean name is spoken, whole, or without the surname of a name of three syllables."""
    return name in spoken.joined or (len(name) == 3 and name[1:] in spoken.joined)


def _without_title(word: str) -> str:
    return re.sub(f"(?:{_KOREAN_TITLES})님?$", "", word) or word


def _differ_by_one(one: str, other: str) -> bool:
    """Return whether a letter added, left out or replaced makes one word the other."""
    short, long = sorted((one, other), key=len)
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]
