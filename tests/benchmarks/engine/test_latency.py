"""A slice of the latency benchmark that CI can afford: what it measures, whatever the speed."""

from contextlib import closing
from math import isfinite
from pathlib import Path

import pytest

from models.whisper.transcriber import Transcriber
from schemas.settings import WhisperSettings
from tests.benchmarks.engine.latency import Outcome, Plan, Speed, measure, table
from tests.benchmarks.long_files.long_file import repeated
from tests.gpu.bench.shaped_model import SHAPES, make
from tests.support.listening import speech


def test_clips_are_answered_beside_a_bulk_file(tmp_path: Path) -> None:
    """And on the idle engine before it."""
    model = make(tmp_path / "model", SHAPES["micro"], language="en", tokens=100)
    clip = speech("en-digits.ogg")
    bulk = repeated(clip, tmp_path / "bulk.mp3", seconds=600, pause_seconds=0)
    plan = Plan(clips=2, every_seconds=0.1, block_seconds=0.5)
    with closing(Transcriber(WhisperSettings(device="cpu"), model, "micro")) as transcriber:
        outcome = measure(transcriber, clip, bulk, seconds=600, plan=plan)
    assert len(outcome.idle) == 2
    assert outcome.beside
    assert isfinite(outcome.latency_ratio)
    assert "beside the bulk file" in table(outcome)


def test_the_loss_is_the_difference_of_the_speeds() -> None:
    """Measured between reports of progress, not between edges of blocks, which windows do not meet."""
    alone, shared = Speed(), Speed()
    alone.add([(0.0, 0.0), (1.0, 30.0), (2.0, 60.0)])
    alone.add([(10.0, 90.0), (11.0, 120.0)])
    shared.add([(5.0, 60.0), (7.0, 117.0)])
    outcome = Outcome([1.0, 1.2], [1.5, 1.8], alone, shared)
    assert outcome.loss_percent == pytest.approx(5.0)
    assert outcome.latency_ratio == pytest.approx(1.5)


def test_a_block_with_one_report_measures_nothing() -> None:
    """A speed needs two."""
    alone = Speed()
    alone.add([(0.0, 0.0)])
    assert alone.times_real_time is None
    assert Outcome([1.0], [1.0], alone, Speed()).loss_percent is None
