"""Sending dead letters back to where they came from."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from producers.publisher import Publisher
from schemas import dead_letters
from schemas.dead_letters import DeadLetter

CHUNK_LETTERS: Final = 100
"""Published together, then marked: what a crash between the two can make to be sent twice."""


def redrive(
    letters: Iterable[DeadLetter],
    publisher: Publisher,
    *,
    now_ms: Callable[[], int],
    sent: Callable[[list[DeadLetter]], None],
) -> int:
    """Publishes letters to their origin's topic, as new; returns how many. Blocks until all are confirmed.

    ``sent`` hears of every chunk that the broker has, and makes that durable. Raises NotDelivered; what was sent
    until then was reported.
    """
    count = 0
    for chunk in _chunks(letters):
        publisher.publish(dead_letters.redriven(letter, now_ms=now_ms()) for letter in chunk)
        sent(chunk)
        count += len(chunk)
    return count


def _chunks(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    remaining = iter(letters)
    while chunk := list(islice(remaining, CHUNK_LETTERS)):
        yield chunk
