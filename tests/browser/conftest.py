"""One system for all tests of the page: every test looks at jobs of its own."""

from collections.abc import Iterator

import pytest

from tests.browser.page_bench import PageBench, page_bench
from tests.flow.gateway import Gateway


@pytest.fixture(scope="package")
def bench() -> Iterator[PageBench]:
    """Open a broker, a bucket and a transcriber with the selftest model."""
    with page_bench() as opened:
        yield opened


@pytest.fixture(autouse=True)
def released(bench: PageBench) -> Iterator[None]:
    """Let every transcript go at the end of a test."""
    yield
    bench.engine.gate.set()


@pytest.fixture(scope="package")
def gateway(bench: PageBench) -> Gateway:
    """Start a gateway that needs no key, and has no enricher."""
    return bench.system.gateway(enrichment=False)
