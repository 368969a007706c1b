"""A slice of the engine's benchmark that CI can afford: sound results, whatever the speed."""

from math import isfinite
from pathlib import Path

import pytest

from tests.benchmarks.engine.comparing import compare, table, verdicts
from tests.benchmarks.engine.loads import Load
from tests.benchmarks.engine.systems import KASCRIBE, SYSTEMS, TWO_WORKERS, opened
from tests.gpu.bench.shaped_model import SHAPES, make
from tests.support.listening import speech

TOKENS = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the smallest model of fixed length."""
    return make(tmp_path_factory.mktemp("model"), SHAPES["micro"], language="en", tokens=TOKENS)


@pytest.fixture(scope="module")
def clips() -> tuple[Path, ...]:
    """Return two recordings of one window each."""
    return speech("en-digits.ogg"), speech("ko-digits.ogg")


def test_every_system_decodes_the_same_tokens(model: Path, clips: tuple[Path, ...]) -> None:
    """So that their times compare exactly."""
    texts = set()
    for name in SYSTEMS:
        with opened(name, model, fixed=True) as system:
            system.prepare(clips)
            texts.add(tuple(system.texts(clips)))
    (both,) = texts
    assert all(both)


def test_systems_in_processes_of_their_own_are_timed_in_turn(model: Path, clips: tuple[Path, ...]) -> None:
    """Each gives every file a text; each goal that applies gets a verdict."""
    systems = (TWO_WORKERS, KASCRIBE)
    comparison = compare(Load(clips, 10.0, "clips"), model, rounds=1, fixed=True, systems=systems)
    for system in systems:
        assert [all(run.texts) for run in comparison.runs[system]] == [True]
        assert all(isfinite(ratio) and ratio > 0 for ratio in comparison.ratios(system))
        assert system in table(comparison)
    assert len(verdicts(comparison, is_real_speech=True)) == 1
    assert verdicts(comparison, is_real_speech=False) == []
