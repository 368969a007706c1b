"""The archive behind the routes: its questions on threads of their own, and what was deleted a moment ago."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, TypeVar

from producers.archive.answers import JobPage, SearchPage, UsageRow
from producers.archive.filters import JobFilter, SearchFilter, UsageKey
from producers.archive.reads import ARCHIVE_DEPENDENCY, ArchiveReads
from producers.gateway.archive.deletions import RecentDeletions
from schemas.errors import DependencyDown

ANSWER_SECONDS: Final = 15.0
"""For one question, with its wait for a thread. The database ends a statement before."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive of a gateway. Belongs to one event loop; ``executor`` is its own, so that others never wait."""

    reads: ArchiveReads
    deletions: RecentDeletions
    executor: Executor

    async def jobs(self, asked: JobFilter, *, limit: int, cursor: str | None) -> JobPage:
        """Return a page of jobs. Raises CursorInvalid, DependencyDown."""
        page = await self._call(lambda: self.reads.jobs(asked, limit=limit, cursor=cursor))
        return JobPage(jobs=self.deletions.without(page.jobs), next=page.next)

    async def search(self, asked: SearchFilter, *, limit: int, cursor: str | None) -> SearchPage:
        """Return a page of recordings. Raises CursorInvalid, DependencyDown."""
        page = await self._call(lambda: self.reads.search(asked, limit=limit, cursor=cursor))
        results = [result for result in page.results if not self.deletions.has(result.job)]
        return SearchPage(results=results, next=page.next)

    async def usage(self, key: UsageKey, asked: JobFilter) -> list[UsageRow]:
        """Return sums. Raises DependencyDown."""
        return await self._call(lambda: self.reads.usage(key, asked))

    async def _call(self, function: Callable[[], Result]) -> Result:
        running = asyncio.get_running_loop().run_in_executor(self.executor, function)
        try:
            return await asyncio.wait_for(running, ANSWER_SECONDS)
        except TimeoutError as error:
            raise DependencyDown(
                ARCHIVE_DEPENDENCY, f"the archive's database did not answer within {ANSWER_SECONDS:.0f} s"
            ) from error
