"""Notes that outlive the request that made them, so that a crash or a second wish does not pay for them again."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass

from models.vllm.enrichment.planner import Point
from models.vllm.enrichment.ports import NoteStore


@dataclass(frozen=True, slots=True)
class KeptNotes:
    """Points in a cache, if there is one; nothing is found and nothing kept without."""

    cache: NoteStore | None

    async def find(self, digest: str) -> list[Point] | None:
        """What was kept, or None. Does not block the loop."""
        raw = await asyncio.to_thread(self.cache.find_map_result, digest) if self.cache else None
        if raw is None:
            return None
        try:
            return [Point(str(text), tuple(map(int, numbers))) for text, numbers in json.loads(raw)]
        except (ValueError, TypeError):
            return None  # of another version, or damaged: taken again

    async def put(self, digest: str, points: Iterable[Point]) -> None:
        """Keeps them, and has when it returns, cancelled or not."""
        if self.cache:
            raw = json.dumps([(point.text, point.segment_ids) for point in points], ensure_ascii=False).encode()
            keeping = asyncio.ensure_future(asyncio.to_thread(self.cache.put_map_result, digest, raw))
            try:
                await asyncio.shield(keeping)
            except asyncio.CancelledError:
                # The thread goes on whatever we do: who is told of the end may rely on what was kept until then.
                await keeping
                raise
