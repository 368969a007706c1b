"""Inspection of an output: every rule on every statement, in the order of the output."""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any, Final

from models.vllm.doubts.citations import doubtful_citation
from models.vllm.doubts.claims import Field, Statement, cited_claims, statements
from models.vllm.doubts.dates import date_mentions, doubtful_dates
from models.vllm.doubts.material import Material
from models.vllm.doubts.names import doubtful_names, doubtful_owner
from models.vllm.doubts.numbers import doubtful_numbers
from models.vllm.doubts.times import doubtful_times, time_mentions
from models.vllm.doubts.words import fold, without_mentions
from schemas.transcripts.doubts import DOUBT_CHARACTERS, DOUBTS_LIMIT, Doubt, DoubtRule

ORDERS_LIMIT: Final = 8
"""Spoken orders listed with a result at most: they come first, and must leave room for others."""


def find_doubts(
    output: Any, material: Material, *, literals: Collection[str] = (), compares_words: bool = True
) -> tuple[Doubt, ...]:
    """Return what is doubtful in a valid output: spoken orders, then statements in their order.

    ``literals`` are strings that the schema spells out. ``compares_words`` is false for an answer in another
    language than the transcript's: then only numbers, dates, names and the presence of citations count.
    """
    found: dict[Doubt, None] = {}
    for doubt in chain(_orders(material), _findings(output, material, literals, compares_words)):
        found[doubt] = None
        if len(found) == DOUBTS_LIMIT:
            break
    return tuple(found)


def _orders(material: Material) -> Iterator[Doubt]:
    for number, order in material.orders[:ORDERS_LIMIT]:
        yield _doubt(DoubtRule.SPOKEN_ORDER, "$", order, segment_id=number)


def _findings(output: Any, material: Material, literals: Collection[str], compares_words: bool) -> Iterator[Doubt]:
    for statement in statements(output, literals):
        yield from _statement_doubts(statement, material)
    for claim in cited_claims(output, literals):
        if found := doubtful_citation(claim, material.units, compares_words=compares_words):
            has_citation, detail = found
            rule = DoubtRule.UNSUPPORTED_CITATION if has_citation else DoubtRule.NO_CITATION
            yield _doubt(rule, claim.path, detail)


def _statement_doubts(statement: Statement, material: Material) -> Iterator[Doubt]:
    text, path = fold(statement.text), statement.path
    if statement.field is Field.OWNER:
        if owner := doubtful_owner(text, material.words):
            yield _doubt(DoubtRule.OWNER, path, owner)
        return
    dates = date_mentions(text)
    for words in doubtful_dates(dates, material.dates, material.undated):
        yield _doubt(DoubtRule.DATE, path, words)
    times = time_mentions(text)
    rule = DoubtRule.DATE if statement.field is Field.DUE else DoubtRule.NUMBER
    for words in doubtful_times(times, list(material.times), material.numbers.stated):
        yield _doubt(rule, path, words)
    rest = without_mentions(text, [*dates, *(time for time in times if time.is_certain)])
    for words in doubtful_numbers(rest, material.numbers):
        yield _doubt(rule, path, words)
    if statement.field is Field.NAME:
        if name := doubtful_owner(text, material.words):
            yield _doubt(DoubtRule.NAME, path, name)
    else:
        for words in doubtful_names(text, material.words):
            yield _doubt(DoubtRule.NAME, path, words)


def _doubt(rule: DoubtRule, path: str, detail: str, *, segment_id: int | None = None) -> Doubt:
    shown = detail.strip()[:DOUBT_CHARACTERS]
    return Doubt(rule=rule, path=path[:DOUBT_CHARACTERS], detail=shown, segment_id=segment_id)
