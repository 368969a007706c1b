"""A run of ``kascribe enrich --all``: requests for the enricher, a bounded number of them at a time.

::

    transcripts ─▶ covered? ─▶ enriched already? ─▶ request ─▶ (enricher) ─▶ COMPLETED, FAILED, CANCELLED
                      └─ no         └─ yes: settled at once                       └─▶ settled

The run publishes no result: the enricher stores each result once for a job and its options, and the record that
owns it publishes it. So a request that is made again, after a crash or by two runs at once, makes no second event.
A run is resumed from the lowest record that is not settled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from consumers.kafka.follower import Follower
from kascribe.enriching.candidates import Candidates
from producers.publisher import Publisher
from schemas import identity
from schemas.clock import Clock
from schemas.errors import ConfigurationError, Reason
from schemas.events import FINAL_PHASES, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka.delivery import Partition
from schemas.kafka.enrich_requests import enrich_request
from schemas.kafka.records import Coordinates
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import decode, encode
from schemas.options import EnrichOptions

RETRYING_LIMIT: Final = 1_000
"""Most requests that wait for another attempt; beyond it no new one is made."""

POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """``in_flight``: most requests without an answer. ``limit``: most requests of this invocation, if any."""

    in_flight: int
    limit: int | None = None


class Run:
    """One invocation of a run. Not thread-safe. ``answers`` must follow the progress topic from before the run."""

    def __init__(
        self,
        candidates: Candidates,
        options: EnrichOptions,
        publisher: Publisher,
        answers: Follower,
        topics: Topics,
        *,
        bounds: Bounds,
        clock: Clock,
        new_id: Callable[[], str] = identity.random_id,
    ) -> None:
        self.tally = candidates.tally
        self._candidates, self._options = candidates, options
        self._publisher, self._answers, self._topics = publisher, answers, topics
        self._bounds, self._clock = bounds, clock
        # By it, answers of other jobs are told apart before they are parsed.
        self._id = f"enrich-{new_id()}"
        self._waiting: dict[Coordinates, TranscriptEvent] = {}
        self._open: dict[str, tuple[Coordinates, str]] = {}
        self._retrying: set[str] = set()
        self._answered_at = clock.monotonic()

    def advance(self) -> bool:
        """Take one turn: answers, transcripts, requests. Return whether there is more to do. Blocks for seconds.

        Raises ConfigurationError when the enricher refuses the options; DependencyDown and NotDelivered.
        """
        self._settle()
        if self._can_read:
            self._waiting = self._candidates.batch(in_flight={job for _, job in self._open.values()})
        self._request()
        self.tally.in_flight = len(self._open)
        return bool(self._open) or self._can_read or (bool(self._waiting) and not self._is_limited)

    def positions(self) -> dict[Partition, int]:
        """Return for each partition the lowest offset that is not settled: where the run is resumed."""
        found = dict(self._candidates.next_offsets)
        for place in (*(place for place, _ in self._open.values()), *self._waiting):
            partition = (place.topic, place.partition)
            found[partition] = min(found[partition], place.offset)
        return found

    @property
    def is_finished(self) -> bool:
        """Whether every transcript is settled."""
        return self._candidates.is_read and not self._open and not self._waiting

    @property
    def silence_seconds(self) -> float:
        """Time since the last answer while requests are open; 0 with none open."""
        return self._clock.monotonic() - self._answered_at if self._open else 0.0

    @property
    def _is_limited(self) -> bool:
        return self._bounds.limit is not None and self.tally.requested >= self._bounds.limit

    @property
    def _can_read(self) -> bool:
        return not (self._waiting or self._candidates.is_read or self._is_limited)

    @property
    def _room(self) -> int:
        """Requests that may be made now. The first one goes alone, so that wrong options fail once."""
        if len(self._retrying) >= RETRYING_LIMIT:
            return 0
        most = self._bounds.in_flight if self.tally.enriched else 1
        room = most - (len(self._open) - len(self._retrying))
        if self._bounds.limit is not None:
            room = min(room, self._bounds.limit - self.tally.requested)
        return max(0, room)

    def _request(self) -> None:
        chosen = list(islice(self._waiting.items(), self._room))
        if not chosen:
            return
        if not self._open:
            self._answered_at = self._clock.monotonic()
        first = self.tally.requested
        requests = {f"{self._id}-{number}": each for number, each in enumerate(chosen, first)}
        trace, topic = Trace.start(), self._topics.enrich_requests
        self._publisher.publish(
            encode(self._request_for(event, request_id), topic=topic, key=event.job_id, trace=trace)
            for request_id, (_, event) in requests.items()
        )
        self.tally.requested += len(requests)
        for request_id, (place, event) in requests.items():
            self._open[request_id] = (place, event.job_id)
            del self._waiting[place]

    def _request_for(self, event: TranscriptEvent, request_id: str) -> TranscriptEvent:
        return enrich_request(event, self._options, request_id=request_id, now=self._clock.now())

    def _settle(self) -> None:
        has_work = self._can_read or bool(self._waiting and self._room)
        for record in self._answers.records(0.0 if has_work else POLL_SECONDS):
            if self._id.encode() not in (record.value or b""):
                continue
            event = decode(record, ProgressEvent)
            if event.reference_event_id in self._open:
                self._answered_at = self._clock.monotonic()
                self._on_answer(event.reference_event_id, event)

    def _on_answer(self, request_id: str, event: ProgressEvent) -> None:
        if event.phase is Phase.RETRYING:
            self._retrying.add(request_id)
        else:
            self._retrying.discard(request_id)
        if event.phase not in FINAL_PHASES:
            return
        failure = event.failure
        if failure and failure.reason is Reason.INVALID_OPTIONS:
            raise ConfigurationError(f"the enricher refuses the options: {failure.message}")
        del self._open[request_id]
        if event.phase is Phase.COMPLETED:
            self.tally.enriched += 1
        elif event.phase is Phase.CANCELLED:
            self.tally.cancelled += 1
        else:
            reason, message = (failure.reason, failure.message) if failure else (Reason.INTERNAL_ERROR, "")
            self.tally.fail(event.job_id, reason, message)
