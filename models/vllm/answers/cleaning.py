"""Cleaning of untrusted text: speech becomes material for prompts, answers become plain text."""

import re
from collections.abc import Collection
from typing import Any, Final

# Unicode's control, format, surrogate and private characters, except newline, tab, and the joiners U+200C and
# U+200D, which Persian, Hindi and emoji need. A unit test compares this with unicodedata.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
    "\U000f0000-\U000ffffd\U00100000-\U0010fffd]"
)
_BRACKETED: Final = re.compile(r"\[(/?[A-Za-z]\w*)\]", re.ASCII)
_ADDRESS: Final = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]{1,20}://|www\.)\S+|\b(?:javascript|data|vbscript|file|mailto):\S+", re.IGNORECASE
)
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_LINK_MARKS: Final = re.compile(r"!\[|\]\(|\]\[")
_TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]*>|<(?=[a-zA-Z/!?])")
_CODE_FENCE: Final = re.compile(r"`{3,}\w*|~{3,}\w*")
_PASSES: Final = 20


def as_material(text: str) -> str:
    """Return recorded speech as one line that cannot close a fence, name a role or form a special token.

    Angle brackets become typographic ones, and square brackets around a word become round, since chat templates
    write their tokens with them.
    """
    visible = without_controls(text).replace("<", "‹").replace(">", "›")
    return " ".join(_BRACKETED.sub(r"(\1)", visible).replace("=====", "== ").split())


def as_plain_text(text: str) -> str:
    """Remove control characters, tags, addresses, links, images and code fences from an answer.

    Idempotent: markup that a removal creates is removed as well.
    """
    cleaned = without_controls(text)
    for _ in range(_PASSES):
        before = cleaned
        for pattern, replacement in (
            (_LINK, r"\1"),
            (_LINK_MARKS, " "),
            (_TAG, ""),
            (_ADDRESS, ""),
            (_CODE_FENCE, ""),
        ):
            cleaned = pattern.sub(replacement, cleaned)
        if cleaned == before:
            return cleaned.strip()
    return cleaned.translate(str.maketrans("<[]()`~:", "        ")).strip()


def plain_strings(value: Any, literals: Collection[str] = ()) -> Any:
    """Return a JSON value with every string (not the keys) as plain text, except for ``literals``."""
    if isinstance(value, str):
        return value if value in literals else as_plain_text(value)
    if isinstance(value, list):
        return [plain_strings(item, literals) for item in value]
    if isinstance(value, dict):
        return {key: plain_strings(item, literals) for key, item in value.items()}
    return value


def without_controls(text: str) -> str:
    """Remove control, format and private characters; newlines, tabs and script joiners stay."""
    return _INVISIBLE.sub("", text)
