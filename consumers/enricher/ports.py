"""The interfaces that the enricher needs: transcripts, the language model, and a store of results."""

from collections.abc import Callable
from typing import Literal, Protocol

from consumers.ports import FailureStore
from models.vllm.enrichment.profiles import Profile
from models.vllm.enrichment.request import Enrichment, EnrichRequest, Rewrite
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment
from schemas.transcripts.transcript import Transcript

__all__ = [
    "EnrichRequest",
    "Enrichment",
    "EnrichmentObserver",
    "EnrichmentStage",
    "EnrichmentStore",
    "LanguageModel",
    "Profile",
    "Rewrite",
    "TranscriptSource",
    "UnobservedEnrichments",
]

EnrichmentStage = Literal["load", "model", "store"]
"""Of the work on a transcript: reading it from the bucket, the model's results, storing them."""


class TranscriptSource(Protocol):
    """Store of transcripts."""

    def load(self, uri: str) -> Transcript:
        """Return the transcript at an address. Blocks; safe to repeat.

        Raises SourceNotAllowed, InvalidEvent, EnrichmentFailed when it is not there (yet), and DependencyDown.
        """
        ...

    def is_up(self) -> bool:
        """Return whether the store answers. Blocks for about a second at most."""
        ...


class LanguageModel(Protocol):
    """The language model. Called from many threads at once."""

    def profiles_for(self, options: EnrichOptions) -> tuple[Profile, ...]:
        """Return the profiles that options name. Raises InvalidOptions."""
        ...

    def enrich(
        self,
        request: EnrichRequest,
        *,
        cancelled: Callable[[], bool],
        on_chunk: Callable[[int, int], None],
    ) -> Enrichment:
        """Return the model's results. Blocks.

        Raises EnrichmentInvalid, EnrichmentFailed, DependencyDown, and JobCancelled once ``cancelled`` turns true.
        """
        ...

    def is_up(self) -> bool:
        """Return whether a server generates tokens. Blocks for a second at most."""
        ...


class EnrichmentStore(FailureStore, Protocol):
    """Store of finished enrichments. Methods block, are safe to repeat, and raise DependencyDown."""

    def is_writable(self) -> bool:
        """Return whether results can be stored, as far as is known. Does not raise."""
        ...

    def find_enrichment(self, job_id: str, enrich_digest: str) -> StoredEnrichment | None:
        """Return the finished enrichment, if there is one."""
        ...

    def create_enrichment(self, stored: StoredEnrichment) -> StoredEnrichment:
        """Store an enrichment unless one is stored already; return the stored one."""
        ...

    def put_rewrite(self, job_id: str, enrich_digest: str, name: str, body: bytes, content_type: str) -> str:
        """Store an object of a rewritten transcript; return its URI."""
        ...

    def results_uri(self, job_id: str, enrich_digest: str) -> str:
        """Return the address of an enrichment, stored or not."""
        ...


class EnrichmentObserver(Protocol):
    """Observer hook of enrichments, for metrics. Called from many threads; must not block or raise."""

    def on_begin(self, *, queued_seconds: float | None) -> None:
        """Note that the work on a transcript begins, and how long its record waited, if known."""
        ...

    def on_stage(self, stage: EnrichmentStage, *, seconds: float) -> None:
        """Note that a stage ended well, and what it took."""
        ...


class UnobservedEnrichments:
    """Ignores what it is told."""

    def on_begin(self, *, queued_seconds: float | None) -> None:
        """Do nothing."""

    def on_stage(self, stage: EnrichmentStage, *, seconds: float) -> None:
        """Do nothing."""
