"""``kascribe bench`` as a person runs it: a table on a terminal, a plot, and a comparison."""

from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from kascribe.cli import app
from kascribe.commands.benchmarking.figures import BenchRow
from kascribe.commands.benchmarking.measuring import Measurer
from kascribe.commands.benchmarking.recorder import Recorder
from kascribe.commands.transcripts.local_model import opened_model
from models.selftest import SELFTEST_MODEL_NAME, clips
from schemas.clock import SystemClock
from schemas.errors import AudioUndecodable, ConfigurationError, JobCancelled
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import Transcript
from tests.sound.decoding import long_recording
from tests.support.terminals import Where, kascribe

QUICK: Final = ("--model", SELFTEST_MODEL_NAME, "--beam-size", "1", "--seconds", "0")
CLIP: Final = next(clip for clip in clips() if clip.text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a recording and a file that is none."""
    (tmp_path / "a.ogg").write_bytes(CLIP.path.read_bytes())
    (tmp_path / "b.wav").write_bytes(b"notes")
    return tmp_path


def test_a_terminal_gets_a_table_with_a_line_on_what_failed(folder: Path) -> None:
    """Nothing is wider than the terminal, and the bars are gone in the end."""
    ran = kascribe(["bench", "a.ogg", "b.wav", *QUICK], Where.TERMINAL, folder)
    assert ran.exit_code == 0
    for expected in (
        "selftest, cpu",
        "x real time",
        "interactive beside bulk",
        "busy",
        "rows per batch",
        "b.wav: ",
    ):
        assert expected in ran.screen


def test_without_files_it_uses_the_speech_of_the_self_test(tmp_path: Path) -> None:
    """Beside faster-whisper, and with a plot."""
    plot = tmp_path / "bench.svg"
    options = ["--against", "faster-whisper", "--plot", str(plot), "--json"]
    ran = CliRunner().invoke(app, ["bench", *QUICK, *options])
    assert ran.exit_code == 0, ran.output
    ours, theirs = [BenchRow.model_validate_json(line) for line in ran.stdout.splitlines()]
    assert ours.files == len([clip for clip in clips() if clip.text])
    assert (ours.system, theirs.system) == ("kascribe", "faster-whisper")
    assert ours.times_real_time > 0
    assert theirs.times_real_time > 0
    assert ours.engine_busy is not None
    assert 0 < ours.engine_busy <= 1
    assert [row.lane for row in ours.latencies] == ["bulk", "interactive", "interactive beside bulk"]
    assert ours.bottleneck
    assert plot.read_text(encoding="utf-8").startswith("<svg ")


def test_files_of_which_none_can_be_read_are_an_error(folder: Path) -> None:
    """With the reason of the first."""
    ran = CliRunner().invoke(app, ["bench", str(folder / "b.wav"), *QUICK])
    assert isinstance(ran.exception, AudioUndecodable)


def test_a_plot_in_a_missing_folder_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """The model is not even looked for."""
    options = ["--model", str(tmp_path / "no-model"), "--plot", str(tmp_path / "missing" / "bench.svg")]
    ran = CliRunner().invoke(app, ["bench", *options])
    assert isinstance(ran.exception, ConfigurationError)
    assert "there is no folder" in str(ran.exception)


def test_a_plot_that_cannot_be_written_leaves_the_figures() -> None:
    """They took minutes."""
    ran = CliRunner().invoke(app, ["bench", str(CLIP.path), *QUICK, "--plot", "/dev/full", "--json"])
    assert isinstance(ran.exception, OSError)
    assert BenchRow.model_validate_json(ran.stdout).files == 1


def test_files_are_repeated_until_each_was_done_and_no_repeat_is_waited_for(tmp_path: Path) -> None:
    """The end of the bulk run is as busy as its beginning, and an hour's repeat does not prolong it."""
    short, long = CLIP.path, long_recording(tmp_path)
    clock = SystemClock()
    recorder = Recorder(clock)
    phases: list[str] = []
    with opened_model(WhisperSettings(model=SELFTEST_MODEL_NAME), meter=recorder) as transcriber:
        cancelled_in: list[str] = []
        options = TranscribeOptions(language="en", beam_size=1)
        transcribe = transcriber.transcribe

        def observing(*arguments: Any, **named: Any) -> Transcript:
            try:
                return transcribe(*arguments, **named)
            except JobCancelled:
                cancelled_in.append(phases[-1])
                raise

        transcriber.transcribe = observing  # type: ignore[method-assign]
        measurer = Measurer(transcriber, options, recorder, clock=clock, on_phase=phases.append)
        measured = measurer.run([short, long], files_at_once=2, seconds=0.01)
    assert "many files at once" in cancelled_in
    assert len({each.audio_seconds for each in measured.bulk.files}) == 2


def test_standard_input_is_refused() -> None:
    """It cannot be read again and again."""
    ran = CliRunner().invoke(app, ["bench", "-", *QUICK])
    assert isinstance(ran.exception, ConfigurationError)
