"""Cache of notes across runs, so that a retry or a second enrichment need not take them again."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass

from models.vllm.enrichment.planner import Point
from models.vllm.enrichment.ports import NoteStore


@dataclass(frozen=True, slots=True)
class NotesCache:
    """Points in a store. Without a store it finds nothing and keeps nothing."""

    store: NoteStore | None

    async def find(self, digest: str) -> tuple[list[Point], bool] | None:
        """Return the points stored under a digest and whether words may be missing, or None. Does not block."""
        raw = await asyncio.to_thread(self.store.find_notes, digest) if self.store else None
        if raw is None:
            return None
        try:
            stored = json.loads(raw)
            points = [Point(str(text), tuple(map(int, numbers))) for text, numbers in stored["points"]]
            return points, bool(stored["truncated"])
        except (ValueError, TypeError, LookupError):
            return None  # of another version, or damaged: the notes are taken again

    async def put(self, digest: str, points: Iterable[Point], *, is_truncated: bool = False) -> None:
        """Store points. Returns when they are stored, even if cancelled."""
        if self.store:
            listed = [(point.text, point.segment_ids) for point in points]
            raw = json.dumps({"points": listed, "truncated": is_truncated}, ensure_ascii=False).encode()
            storing = asyncio.ensure_future(asyncio.to_thread(self.store.put_notes, digest, raw))
            try:
                await asyncio.shield(storing)
            except asyncio.CancelledError:
                # The thread cannot be cancelled. After the job has ended, callers rely on what it stored.
                await storing
                raise
