"""Notes on a long transcript: what stands in for them, what is kept of them, and what they are measured with."""

import asyncio
import json
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from models.vllm.enrichment.condenser import NOTE_CHARACTERS, _differ, _joined, _Part, _without_the_model
from models.vllm.enrichment.notes_cache import KeptNotes
from models.vllm.enrichment.planner import Chunk, Passage, Point
from models.vllm.enrichment.token_estimate import SAMPLE_CHARACTERS, SAMPLES, Measure, measured, samples_of


def test_what_the_model_did_not_note_stands_in_its_own_words_once() -> None:
    """A passage that is repeated was noted with the chunk before; the others count as unseen."""
    chunk = Chunk((Passage(3, "again", 5), Passage(4, "new", 5), Passage(5, "newer", 5)), repeated=1)
    part = _without_the_model(chunk)
    assert part == _Part([Point("new", (4,)), Point("newer", (5,))], frozenset({4, 5}), cut=False)
    long = "x" * (NOTE_CHARACTERS + 1)
    assert _without_the_model(Chunk((Passage(1, long[1:], 5),))).cut is False
    cut = _without_the_model(Chunk((Passage(1, long, 5), Passage(2, "short", 5))))
    assert (cut.cut, cut.points[0].text) == (True, long[1:])


def test_parts_add_up() -> None:
    """Points in order, whatever is unseen, and whether any was cut."""
    one, two = _Part([Point("a", (1,))], frozenset({1}), cut=True), _Part([Point("b", (2,))], frozenset({3}))
    assert _joined([one, two]) == _Part([*one.points, *two.points], frozenset({1, 3}), cut=True)
    assert _joined([two, two]).cut is False
    assert _joined([]) == _Part([])


def test_points_differ_by_their_words_alone() -> None:
    """Fewer citations lose no word."""
    assert not _differ([Point("a", (1, 2))], [Point("a", (1,))])
    assert _differ([Point("a", (1,))], [Point("b", (1,))])
    assert _differ([Point("a", (1,))], [])


class Kept:
    """A cache in memory."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self.gate = threading.Event()
        self.gate.set()

    def find_map_result(self, digest: str) -> bytes | None:
        """What was put."""
        return self.found.get(digest)

    def put_map_result(self, digest: str, result: bytes) -> None:
        """Puts it, once the gate is open."""
        self.gate.wait(30)
        self.found[digest] = result


def test_notes_are_found_as_they_were_kept() -> None:
    """By their digest, in any script."""

    async def keep() -> None:
        points = [Point("회의", (1, 2)), Point("", ())]
        notes = KeptNotes(Kept())
        await notes.put("d", points)
        assert await notes.find("d") == points
        assert await notes.find("e") is None
        await KeptNotes(None).put("d", points)
        assert await KeptNotes(None).find("d") is None

    run(keep())


@pytest.mark.parametrize("damaged", [b"", b"{", b"3", b"[3]", b'[["a"]]', b'[["a", ["x"]]]', b"\xff"])
def test_notes_that_cannot_be_read_are_taken_again(damaged: bytes) -> None:
    """Another version's, or half of them."""

    async def find() -> None:
        kept = Kept()
        kept.found["d"] = damaged
        assert await KeptNotes(kept).find("d") is None

    run(find())


def test_who_is_cancelled_while_keeping_ends_when_it_is_kept() -> None:
    """The work was paid for: whoever takes the job up next finds it."""

    async def cancelled() -> None:
        kept = Kept()
        kept.gate.clear()
        keeping = asyncio.ensure_future(KeptNotes(kept).put("d", [Point("a", (1,))]))
        await asyncio.wait([keeping], timeout=0)
        keeping.cancel()
        await asyncio.wait([keeping], timeout=0)
        assert not keeping.done()
        kept.gate.set()
        await asyncio.wait([keeping], timeout=30)
        assert keeping.cancelled()
        assert json.loads(kept.found["d"]) == [["a", [1]]]

    run(cancelled())


def test_a_measure_takes_all_samples_together_or_the_worst_when_that_is_much_worse() -> None:
    """With a margin, and never beyond a token a byte."""
    even = measured(["a" * 100, "b" * 100], [20, 20])
    assert even.tokens_per_byte == pytest.approx(0.2 * 1.05)
    uneven = measured(["a" * 100, "b" * 100], [10, 50])
    assert uneven.tokens_per_byte == pytest.approx(0.8 * 0.5 * 1.05)
    assert measured(["a"], [3]).tokens_per_byte == 1.0
    assert measured([], []) == measured([""], [0]) == Measure()
    korean = measured(["한국어"], [3])
    assert korean.bytes_per_character == 3
    assert korean.tokens_per_character == pytest.approx(1.05)
    assert (even("a" * 10), even("가")) == (3, 1)
    assert not even.is_a_bound


def test_samples_come_from_all_over_a_transcript() -> None:
    """A bounded number of bounded pieces, none of them empty."""
    texts = [f"{number} " + "x" * 2 * SAMPLE_CHARACTERS for number in range(100)]
    samples = samples_of(texts)
    assert len(samples) == SAMPLES + 1
    assert [int(sample.split()[0]) for sample in samples] == list(range(0, 100, 12))
    assert {len(sample) for sample in samples} == {SAMPLE_CHARACTERS}
    assert samples_of(["", " ", "a"]) == ["a"]
    assert len(samples_of(["a"] * 15)) == 15


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine to its end."""
    asyncio.run(work)
