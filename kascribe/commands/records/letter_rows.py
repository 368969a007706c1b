"""Dead letters, and what a redrive did, as lines of JSON."""

import base64
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from consumers.dead_letters import FoundLetter


class LetterRow(BaseModel):
    """One dead letter. ``failed_ms`` is UTC; ``value`` is text, or base64 where it is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    letter: str
    failed_ms: int
    reason: str
    message: str
    is_redriven: bool
    job_id: str | None
    origin: str
    stage: str
    attempt: int
    redrives: int


class WholeLetterRow(LetterRow):
    """One dead letter with its original bytes: text, or base64 where they are no UTF-8."""

    key: str | None
    value: str | None
    value_encoding: Literal["text", "base64"]
    stack_trace: str | None


class RedriveRow(BaseModel):
    """What a redrive did; with --dry-run, ``redriven`` is what it would do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    redriven: int
    is_dry_run: bool
    left_without_value: int
    refused: tuple[str, ...]


def letter_row(found: "FoundLetter") -> LetterRow:
    """Return the row of a letter in a list."""
    return LetterRow(**_facts(found))


def _facts(found: "FoundLetter") -> dict[str, Any]:
    letter = found.letter
    return {
        "letter": str(letter.record.coordinates),
        "failed_ms": letter.failed_ms,
        "reason": letter.reason,
        "message": letter.message,
        "is_redriven": bool(found.redriven),
        "job_id": letter.job_id,
        "origin": str(letter.origin),
        "stage": letter.stage,
        "attempt": letter.attempt,
        "redrives": letter.redrives,
    }


def whole_letter_row(found: "FoundLetter") -> WholeLetterRow:
    """Return the whole row of a letter."""
    letter = found.letter
    value, encoding = _as_text(letter.record.value)
    return WholeLetterRow(
        **_facts(found),
        key=None if letter.record.key is None else letter.record.key.decode(errors="replace"),
        value=value,
        value_encoding=encoding,
        stack_trace=letter.stack_trace or None,
    )


def _as_text(value: bytes | None) -> tuple[str | None, Literal["text", "base64"]]:
    if value is None:
        return None, "text"
    try:
        return value.decode(), "text"
    except UnicodeDecodeError:
        return base64.b64encode(value).decode(), "base64"
