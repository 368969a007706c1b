"""What the enricher's stage needs from others: the language model, and where results are kept."""

from collections.abc import Callable
from typing import Protocol

from consumers.failures import FailureStore
from models.vllm.enrichment.profiles import Profile
from models.vllm.enrichment.run import Enrichment, EnrichRequest
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment


class LanguageModel(Protocol):
    """The enricher as the stage needs it. Called from many threads at once."""

    def wanted(self, options: EnrichOptions) -> tuple[Profile, ...]:
        """The profiles that options name. Raises InvalidOptions."""
        ...

    def enrich(
        self,
        request: EnrichRequest,
        *,
        cancelled: Callable[[], bool],
        on_chunk: Callable[[int, int], None],
    ) -> Enrichment:
        """The results. Blocks. Raises EnrichmentInvalid, EnrichmentFailed, DependencyDown, JobCancelled."""
        ...

    def is_up(self) -> bool:
        """Whether a server makes tokens. Blocks for a second at most."""
        ...


class EnrichmentStore(FailureStore, Protocol):
    """Where finished enrichments are kept. Methods block, are safe to repeat, and raise DependencyDown."""

    def find_enrichment(self, job_id: str, enrich_digest: str) -> StoredEnrichment | None:
        """The finished enrichment, if there is one."""
        ...

    def create_enrichment(self, stored: StoredEnrichment) -> StoredEnrichment:
        """Store it unless one is stored already; return the stored one."""
        ...

    def results_uri(self, job_id: str, enrich_digest: str) -> str:
        """Where it is, once it is stored."""
        ...
