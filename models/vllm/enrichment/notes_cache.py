"""Notes that outlive the request that made them, so that a crash or a second wish does not pay for them again."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from models.vllm.enrichment.planner import Point


class MapCache(Protocol):
    """Notes by digest of what they are about, prompt and model. Both calls block, may be made from any thread, and
    may fail by returning None or doing nothing: a cache saves work, it decides nothing."""

    def find_map_result(self, digest: str) -> bytes | None:
        """What was put under this digest, or None."""
        ...

    def put_map_result(self, digest: str, result: bytes) -> None:
        """Keeps a result. Putting another one under the same digest may do nothing."""
        ...


@dataclass(frozen=True, slots=True)
class KeptNotes:
    """Points in a cache, if there is one; nothing is found and nothing kept without."""

    cache: MapCache | None

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
