"""Entry point of enrichment: blocking calls from any thread, all requests on one event loop."""

import asyncio
import concurrent.futures
import random
import secrets
from collections.abc import Callable
from typing import Final, Self

from models.vllm.answers.languages import code_of
from models.vllm.enrichment.asker import Asker
from models.vllm.enrichment.condenser import Condenser
from models.vllm.enrichment.kept_results import KeptResults
from models.vllm.enrichment.note_taker import NoteTaker
from models.vllm.enrichment.notes_cache import NotesCache
from models.vllm.enrichment.ports import NoteStore
from models.vllm.enrichment.profiles import Profile, for_instruction, load_profiles
from models.vllm.enrichment.prompts import Nonce, nonce_from
from models.vllm.enrichment.request import Enrichment, EnrichRequest, OnChunk, OnProfileText
from models.vllm.enrichment.results import skipped_results
from models.vllm.enrichment.run import Run
from models.vllm.enrichment.token_estimate import TokenEstimate
from models.vllm.event_loop import EventLoopThread
from models.vllm.servers.observer import NullObserver
from models.vllm.servers.pool import ServerPool, Sleep
from models.vllm.servers.ports import Observer, RequestLoad
from models.vllm.tasks import CancellationWatch
from schemas.clock import Clock, SystemClock
from schemas.errors import InvalidOptions, JobCancelled
from schemas.options import EnrichOptions
from schemas.options.misspelling import did_you_mean
from schemas.settings import VllmSettings
from schemas.transcripts.transcript import TokenUsage

SHARE_OF_ONE_TRANSCRIPT: Final = 4
"""One transcript may use a quarter of the requests in flight, so that a long one does not delay short ones."""
PROBE_WAIT_SECONDS: Final = 1.0
SECRET_BYTES: Final = 32


def _not_cancelled() -> bool:
    return False


class Enricher:
    """Enriches transcripts on the configured servers. Owns a thread and connections until ``close``."""

    def __init__(
        self,
        settings: VllmSettings,
        *,
        note_store: NoteStore | None = None,
        nonce: Nonce | None = None,
        sleep: Sleep = asyncio.sleep,
        clock: Clock | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Start the thread. Raises ConfigurationError for a missing address, bad profiles and certificates."""
        self.profiles = load_profiles(settings.profiles_directory)
        self._settings = settings
        self._notes = NotesCache(note_store)
        self._nonce = nonce or nonce_from(secrets.token_bytes(SECRET_BYTES))
        self._clock = clock or SystemClock()
        self._pool = ServerPool(
            settings,
            clock=self._clock,
            sleep=sleep,
            random=random.random,
            observer=observer or NullObserver(),
        )
        self._kept = KeptResults()
        self._estimates: dict[str | None, TokenEstimate] = {}
        self._cancellations = CancellationWatch()
        self._probe: concurrent.futures.Future[bool] | None = None
        self._loop = EventLoopThread("vllm")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def profiles_for(self, options: EnrichOptions) -> tuple[Profile, ...]:
        """Return the profiles and the instruction of options. Raises InvalidOptions for unknown profiles."""
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
        """Run the requested profiles on a transcript. Blocks; callable from many threads; safe to repeat.

        ``cancelled``, ``on_text`` and ``on_chunk`` are called in the enricher's thread and must not block. Raises
        EnrichmentInvalid, EnrichmentFailed, DependencyDown, and JobCancelled soon after ``cancelled`` turns true,
        when the job's requests have ended.
        """
        if not request.has_text:
            model = self._settings.model or "none"
            return Enrichment(model, skipped_results(request.profiles), TokenUsage(), 0.0)
        work = self._cancellations.run(self._enrich(request, on_text, on_chunk), cancelled)
        try:
            return self._loop.submit(work).result()
        except concurrent.futures.CancelledError as closed:
            raise JobCancelled("the enricher was closed while the language model worked on the job") from closed

    def load(self) -> RequestLoad:
        """Return the load of requests now. Callable from any thread; does not block."""
        return self._pool.load()

    def is_up(self) -> bool:
        """Return whether any server makes tokens. Blocks for a second at most.

        The result of a slower probe is returned by a later call.
        """
        probe = self._probe or self._loop.submit(self._pool.is_up())
        self._probe = probe
        try:
            return probe.result(PROBE_WAIT_SECONDS)
        except TimeoutError:
            return False
        finally:
            if probe.done():
                self._probe = None

    def close(self) -> None:
        """End every request and the thread. Blocks until they have ended. Safe to repeat."""
        self._loop.close(self._pool.close)

    async def _enrich(
        self, request: EnrichRequest, on_text: OnProfileText | None, on_chunk: OnChunk | None
    ) -> Enrichment:
        asker = Asker(
            self._pool,
            await self._pool.discover(request.job_id),
            nonce=self._nonce(request.job_id),
            job_id=request.job_id,
            lane=request.lane,
            cache_salt=request.tenant,
        )
        concurrency = max(1, self._settings.concurrency_limit // SHARE_OF_ONE_TRANSCRIPT)
        languages = tuple(filter(None, [code_of(request.answer_language or request.transcript_language)]))
        note_taker = NoteTaker(asker, self._notes, concurrency=concurrency, languages=languages)
        condenser = Condenser(asker, note_taker, on_chunk=on_chunk)
        run = Run(
            request,
            asker,
            condenser,
            on_text=on_text,
            estimates=self._estimates,
            clock=self._clock,
            kept=self._kept,
            drop_doubts=self._settings.drop_doubts,
            concurrency=concurrency,
        )
        return await run.enrich()
