"""Request for the enrichment of one transcript, and its result."""

from collections.abc import Callable
from dataclasses import dataclass

from models.vllm.enrichment.profiles import Profile
from schemas.errors import JobError
from schemas.events import EnrichmentResult
from schemas.options import Lane
from schemas.transcripts.transcript import Segment, TokenUsage

OnProfileText = Callable[[str, str | None], None]
"""Receives a profile's name and a piece of its answer. None discards all pieces so far: the answer restarts."""
OnChunk = Callable[[int, int], None]
"""Receives how many chunks of a long transcript are done, and how many there are."""


def _never(_: JobError) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class EnrichRequest:
    """One transcript and the profiles to run on it. ``attempt`` counts from 1 and is only reported."""

    job_id: str
    segments: tuple[Segment, ...]
    transcript_language: str | None
    profiles: tuple[Profile, ...]
    answer_language: str | None = None
    lane: Lane = Lane.BULK
    tenant: str = "default"
    attempt: int = 1
    is_retried: Callable[[JobError], bool] = _never
    """Returns whether the caller repeats the request after an error. Else the finished profiles are returned."""

    @property
    def has_text(self) -> bool:
        """False for a transcript without words."""
        return any(segment.text.strip() for segment in self.segments)

    @property
    def segment_ids(self) -> frozenset[int]:
        """The segments that answers may cite."""
        return frozenset(segment.id for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The transcript's segments as a profile rewrote them, with their times. ``language`` is that of the texts
    where the profile changed it."""

    profile: str
    segments: tuple[Segment, ...]
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Enrichment:
    """The results of a request. ``usage`` covers all requests to servers, those shared by several results too."""

    model: str
    results: tuple[EnrichmentResult, ...]
    usage: TokenUsage
    total_seconds: float
    rewrites: tuple[Rewrite, ...] = ()
