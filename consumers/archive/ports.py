"""The interfaces that the archive's stage needs."""

from typing import Protocol

from schemas.events import EnrichmentEvent
from schemas.transcripts.transcript import Transcript


class Bodies(Protocol):
    """Whole transcripts and enrichments in the bucket. Methods block and raise DependencyDown("s3")."""

    def transcript(self, uri: str) -> Transcript | None:
        """Return a transcript; None when it is gone, or is none that this release reads."""
        ...

    def enrichment(self, uri: str) -> EnrichmentEvent | None:
        """Return an enrichment with its outputs; None as above."""
        ...

    def is_up(self) -> bool:
        """Return whether the bucket answers. Blocks for a second."""
        ...
