"""Notes on a long transcript: the rule that replaces the model, and their cache."""

import asyncio
import json
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from models.vllm.enrichment.note_taker import NOTE_CHARACTERS, NotedPart, join_parts, note_by_rule, texts_differ
from models.vllm.enrichment.notes_cache import NotesCache
from models.vllm.enrichment.planner import Chunk, Passage, Point


def test_a_chunk_that_the_model_cannot_note_is_noted_by_its_own_words() -> None:
    """A repeated passage was noted with the previous chunk; the others count as unseen."""
    chunk = Chunk((Passage(3, "again", 5), Passage(4, "new", 5), Passage(5, "newer", 5)), repeated=1)
    part = note_by_rule(chunk)
    assert part == NotedPart([Point("new", (4,)), Point("newer", (5,))], frozenset({4, 5}), shortened=False)
    long = "x" * (NOTE_CHARACTERS + 1)
    assert note_by_rule(Chunk((Passage(1, long[1:], 5),))).shortened is False
    cut = note_by_rule(Chunk((Passage(1, long, 5), Passage(2, "short", 5))))
    assert (cut.shortened, cut.points[0].text) == (True, long[1:])


def test_parts_add_up() -> None:
    """Points keep their order; unseen segments and shortening add up."""
    one, two = (
        NotedPart([Point("a", (1,))], frozenset({1}), shortened=True),
        NotedPart([Point("b", (2,))], frozenset({3})),
    )
    assert join_parts([one, two]) == NotedPart([*one.points, *two.points], frozenset({1, 3}), shortened=True)
    assert join_parts([two, two]).shortened is False
    assert join_parts([]) == NotedPart([])


def test_points_differ_only_by_their_texts() -> None:
    """Dropping citations does not count as shortening."""
    assert not texts_differ([Point("a", (1, 2))], [Point("a", (1,))])
    assert texts_differ([Point("a", (1,))], [Point("b", (1,))])
    assert texts_differ([Point("a", (1,))], [])


class Notes:
    """A store in memory."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self.gate = threading.Event()
        self.gate.set()

    def find_notes(self, digest: str) -> bytes | None:
        """Return what was put."""
        return self.found.get(digest)

    def put_notes(self, digest: str, notes: bytes) -> None:
        """Store notes once the gate is open."""
        self.gate.wait(30)
        self.found[digest] = notes


def test_notes_are_found_as_they_were_put() -> None:
    """They are found by their digest, in any script."""

    async def keep() -> None:
        points = [Point("회의", (1, 2)), Point("", ())]
        notes = NotesCache(Notes())
        await notes.put("d", points)
        assert await notes.find("d") == (points, False)
        await notes.put("t", points, is_truncated=True)
        assert await notes.find("t") == (points, True)
        assert await notes.find("e") is None
        await NotesCache(None).put("d", points)
        assert await NotesCache(None).find("d") is None

    run(keep())


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"3",
        b"[3]",
        b'[["a", [1]]]',
        b'{"points": [["a", ["x"]]]}',
        b'{"points": [["a", [1]]]}',
        b"\xff",
    ],
)
def test_notes_that_cannot_be_read_are_taken_again(damaged: bytes) -> None:
    """They may be of another version, or truncated."""

    async def find() -> None:
        kept = Notes()
        kept.found["d"] = damaged
        assert await NotesCache(kept).find("d") is None

    run(find())


def test_a_task_cancelled_while_storing_ends_when_notes_are_stored() -> None:
    """A later attempt at the job finds the notes."""

    async def cancelled() -> None:
        kept = Notes()
        kept.gate.clear()
        keeping = asyncio.ensure_future(NotesCache(kept).put("d", [Point("a", (1,))]))
        await asyncio.wait([keeping], timeout=0)
        keeping.cancel()
        await asyncio.wait([keeping], timeout=0)
        assert not keeping.done()
        kept.gate.set()
        await asyncio.wait([keeping], timeout=30)
        assert keeping.cancelled()
        assert json.loads(kept.found["d"]) == {"points": [["a", [1]]], "truncated": False}

    run(cancelled())


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end."""
    asyncio.run(work)
