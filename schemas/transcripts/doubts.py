"""Doubts about what a language model made from a transcript: statements that the transcript does not bear out."""

from enum import StrEnum
from typing import Final

from pydantic import Field

from schemas.transcripts.transcript import Contract

DOUBTS_LIMIT: Final = 64
"""Doubts of one result at most."""
DOUBT_CHARACTERS: Final = 160
"""Length of a path or a detail at most."""


class DoubtRule(StrEnum):
    """What is doubtful about a statement."""

    NUMBER = "number"
    """A number, an amount, a share or a time of day that the transcript does not contain."""
    DATE = "date"
    """A date, a weekday, a month or a relative date that the transcript does not contain."""
    NAME = "name"
    """A name that the transcript does not contain."""
    OWNER = "owner"
    """A person with a task in the output, without a mention in the transcript."""
    NO_CITATION = "no_citation"
    """A claim that cites no segment, though its schema has a place for citations."""
    UNSUPPORTED_CITATION = "unsupported_citation"
    """The cited segments share too few words with the claim."""
    SPOKEN_ORDER = "spoken_order"
    """A segment of the transcript is shaped like an order to the model, which may have obeyed it."""


class Doubt(Contract):
    """One statement to check. A doubt is no proof: the model may have drawn a right conclusion."""

    rule: DoubtRule = Field(description="What is doubtful.")
    path: str = Field(
        max_length=DOUBT_CHARACTERS,
        description="JSONPath of the statement in the output, such as $.action_items[0].owner; $ is all of it.",
    )
    detail: str = Field(
        max_length=DOUBT_CHARACTERS, description="The words in doubt, or what the claim lacks, for people."
    )
    segment_id: int | None = Field(default=None, description="The segment that gives a spoken order.")
