"""Results of finished profiles, kept while another profile of their transcript is tried again."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Final

from schemas.events import EnrichmentResult

RESULTS_LIMIT: Final = 256
"""Results at most, for all transcripts; the oldest are dropped, and their profiles asked again."""


class KeptResults:
    """Results by key, in memory: a retry in another process asks again. Belongs to one event loop."""

    def __init__(self) -> None:
        self._results: OrderedDict[Hashable, EnrichmentResult] = OrderedDict()

    def find(self, key: Hashable) -> EnrichmentResult | None:
        """Return the result kept under a key, or None."""
        return self._results.get(key)

    def keep(self, key: Hashable, result: EnrichmentResult) -> None:
        """Keep a result until it is discarded, or until there are too many."""
        self._results[key] = result
        while len(self._results) > RESULTS_LIMIT:
            self._results.popitem(last=False)

    def discard(self, keys: Iterable[Hashable]) -> None:
        """Discard the results of a request that ended."""
        for key in keys:
            self._results.pop(key, None)
