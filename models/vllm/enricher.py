"""The enricher as everyone else sees it: blocking calls from any thread, all requests on one event loop."""

import asyncio
import concurrent.futures
import random
import secrets
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Self, TypeVar

from models.vllm.enrichment.asker import Asker, Tally
from models.vllm.enrichment.condenser import Condenser, OnChunk
from models.vllm.enrichment.ports import NoteStore
from models.vllm.enrichment.profiles import Profile, for_instruction, load_profiles
from models.vllm.enrichment.prompts import Nonce, nonces, wording
from models.vllm.enrichment.run import Enrichment, EnrichRequest, OnProfileText, Run, skipped
from models.vllm.enrichment.token_estimate import Measure
from models.vllm.servers.observer import NullObserver, Observer, RequestLoad
from models.vllm.servers.pool import ServerPool, Sleep
from models.vllm.tasks import CancellationWatch
from schemas.clock import Clock, SystemClock
from schemas.errors import InvalidOptions, JobCancelled
from schemas.events import TokenUsage
from schemas.misspelling import did_you_mean
from schemas.options import EnrichOptions
from schemas.settings import VllmSettings

SHARE_OF_ONE_TRANSCRIPT: Final = 4
"""One transcript may have a quarter of the requests in flight, so that a book does not hold up a memo."""
UP_WAIT_SECONDS: Final = 1.0
SECRET_BYTES: Final = 32

Result = TypeVar("Result")


def _not_cancelled() -> bool:
    return False


class Enricher:
    """Everything that is asked of the servers. Owns an event loop in a thread of its own until ``close``."""

    def __init__(
        self,
        settings: VllmSettings,
        *,
        cache: NoteStore | None = None,
        nonce: Nonce | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Clock | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Raises ConfigurationError for a missing address, and profiles and certificates that cannot be used."""
        self.profiles = load_profiles(settings.profiles_directory)
        self._settings = settings
        self._cache = cache
        self._nonce = nonce or nonces(secrets.token_bytes(SECRET_BYTES))
        self._clock = clock or SystemClock()
        self._measures: dict[str | None, Measure] = {}
        self._pool = ServerPool(
            settings,
            clock=self._clock,
            sleep=sleep,
            random=random.random,
            observer=observer or NullObserver(),
        )
        self._cancellations = CancellationWatch()
        self._loop = asyncio.new_event_loop()
        self._looking: concurrent.futures.Future[bool] | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="vllm", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every request and the thread. Blocks until they have ended. Safe to repeat."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def profiles_for(self, options: EnrichOptions) -> tuple[Profile, ...]:
        """The profiles that the options name, and the free instruction. Raises InvalidOptions for unknown ones."""
        unknown = [name for name in options.profiles if name not in self.profiles]
        if unknown:
            wrong = (f"no profile {name}: {did_you_mean(name, self.profiles)}" for name in unknown)
            raise InvalidOptions("; ".join(wrong))
        named = tuple(self.profiles[name] for name in dict.fromkeys(options.profiles))
        return (*named, for_instruction(options.instruction)) if options.instruction else named

    def enrich(
        self,
        request: EnrichRequest,
        *,
        cancelled: Callable[[], bool] = _not_cancelled,
        on_text: OnProfileText | None = None,
        on_chunk: OnChunk | None = None,
    ) -> Enrichment:
        """What the servers make of a transcript. Blocks; callable from many threads; safe to repeat.

        ``on_text``, ``on_chunk`` and ``cancelled`` are called in the enricher's thread and must not block. Raises
        EnrichmentInvalid, EnrichmentFailed, DependencyDown, and JobCancelled within a moment of ``cancelled``
        turning true, when its requests have been ended.
        """
        if not request.has_text:
            model = self._settings.model or "none"
            return Enrichment(model, skipped(request.profiles), TokenUsage(), 0.0)
        return self._waited(self._enrich(request, on_text, on_chunk), cancelled)

    def load(self) -> RequestLoad:
        """Requests in flight, waiting, and how many may be in flight. From any thread; does not block."""
        return self._pool.load()

    def is_up(self) -> bool:
        """Whether any server makes tokens. Blocks for a second at most: a slower answer counts next time."""
        looking = self._looking or asyncio.run_coroutine_threadsafe(self._pool.is_up(), self._loop)
        self._looking = looking
        try:
            return looking.result(UP_WAIT_SECONDS)
        except TimeoutError:
            return False
        finally:
            if looking.done():
                self._looking = None

    async def _enrich(
        self, request: EnrichRequest, on_text: OnProfileText | None, on_chunk: OnChunk | None
    ) -> Enrichment:
        model = await self._pool.discover(request.job_id)
        asker = Asker(
            server=self._pool,
            model=model,
            words=wording(model.context_tokens),
            nonce=self._nonce(request.job_id),
            job_id=request.job_id,
            lane=request.lane,
            cache_salt=request.tenant,
        )
        concurrency = max(1, self._settings.concurrency_limit // SHARE_OF_ONE_TRANSCRIPT)
        condenser = Condenser(asker, Tally(), concurrency, self._cache, on_chunk)
        return await Run(request, asker, condenser, on_text, self._measures, self._clock).enrichment()

    def _waited(self, work: Coroutine[Any, Any, Result], cancelled: Callable[[], bool]) -> Result:
        future = asyncio.run_coroutine_threadsafe(self._cancellations.run(work, cancelled), self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError as closed:
            raise JobCancelled("the enricher was closed while the language model worked on the job") from closed

    async def _end(self) -> None:
        tasks: Sequence[asyncio.Task[Any]] = [
            task for task in asyncio.all_tasks() if task is not asyncio.current_task()
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._pool.close()
        await self._loop.shutdown_default_executor()
