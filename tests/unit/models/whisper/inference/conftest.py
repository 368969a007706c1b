"""Engines for a test, closed at its end."""

from collections.abc import Iterator

import pytest

from tests.unit.models.whisper.inference.engine_bench import Bench


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    """Engines to close at the end."""
    held: list[Bench] = []
    yield held
    for bench in held:
        bench.model.gate.set()
        bench.engine.close()
