"""``kascribe selftest``: check an installation, with the model that ships with it and no network."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer
from pydantic import BaseModel, ConfigDict
from rich.text import Text

from kascribe.commands.options import completions
from kascribe.commands.options.json_option import json_option
from kascribe.console.terminal import Screen, write_json
from schemas.clock import Clock, SystemClock
from schemas.roles import Role

if TYPE_CHECKING:
    from models.selftest import Clip
    from schemas.events import TranscriptEvent

PIPELINE_TIMEOUT_SECONDS: Final = 60.0


class CheckRow(BaseModel):
    """One check: ``passed`` compares words, without punctuation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passed: bool
    expected: str
    actual: str
    seconds: float


@dataclass
class Report:
    """The checks and their outcomes."""

    console: Screen
    clock: Clock
    as_json: bool = False
    failed: list[str] = field(default_factory=list)

    def check(self, name: str, *, expected: str, actual: str, seconds: float) -> None:
        """Print one check; compare the texts word by word, without punctuation."""
        passed = words(expected) == words(actual)
        if not passed:
            self.failed.append(name)
        if self.as_json:
            write_json(CheckRow(name=name, passed=passed, expected=expected, actual=actual, seconds=seconds))
            return
        verdict = ("ok  ", "green") if passed else ("FAIL", "red")
        shown = repr(actual) if actual else "(no text)"
        instead = "" if passed else f" instead of {expected!r}"
        took = (f"{seconds:.1f} s", "dim")
        self.console.print(Text.assemble(verdict, f" {name:<28} {shown}{instead}  ", took), soft_wrap=True)


def words(text: str) -> list[str]:
    """Return the words of a text, for comparison: lower case, no punctuation."""
    return re.findall(r"\w+", text.lower())


def selftest(
    pipeline: Annotated[bool, typer.Option(help="Also go through a broker and an object store.")] = True,
    device: Annotated[
        str | None,
        typer.Option(metavar="auto|cuda|cpu", help="Where to run it.", autocompletion=completions.devices),
    ] = None,
    as_json: Annotated[bool, json_option(CheckRow, "check")] = False,
) -> None:
    """Prove this installation: decoding, speech detection, the engine, and the whole pipeline.

    Examples:
        $ kascribe selftest
        $ kascribe selftest --no-pipeline --device cuda
    """
    from models.selftest import clips

    # Beside lines of JSON, everything else goes to standard error.
    report = Report(Screen(stderr=as_json), SystemClock(), as_json)
    _check_engine(report, clips(), device)
    if pipeline:
        with _pipeline(device) as transcribe:
            for clip in clips():
                started = report.clock.monotonic()
                event = transcribe(clip.path)
                _record(report, f"pipeline: {clip.name}", clip, event.text or "", started)
    if report.failed:
        failed = (f"{len(report.failed)} failed:", "red")
        report.console.print(Text.assemble(failed, f" {', '.join(report.failed)}"), soft_wrap=True)
        raise typer.Exit(1)
    works = ("This installation works.", "green")
    report.console.print(Text.assemble(works, " The self-test model knows digits and commands only."))


def _check_engine(report: Report, clips: "tuple[Clip, ...]", device: str | None) -> None:
    from kascribe.configuration.reading import load
    from kascribe.wiring.engine import opened_transcriber
    from models.selftest import SELFTEST_MODEL_NAME
    from schemas.options import Lane, TranscribeOptions

    settings = load(overrides={"whisper.model": SELFTEST_MODEL_NAME, "whisper.device": device}).settings
    with opened_transcriber(settings.whisper) as transcriber:
        for clip in clips:
            started = report.clock.monotonic()
            transcript = transcriber.transcribe(
                clip.path,
                TranscribeOptions(),
                on_progress=lambda _: None,
                cancelled=lambda: False,
                lane=Lane.INTERACTIVE,
            )
            _record(report, f"engine: {clip.name}", clip, transcript.text, started)


def _record(report: Report, name: str, clip: "Clip", actual: str, started: float) -> None:
    report.check(name, expected=clip.text, actual=actual, seconds=report.clock.monotonic() - started)


@contextmanager
def _pipeline(device: str | None) -> "Iterator[Callable[[Path], TranscriptEvent]]":
    """Run a small embedded stack; the function that it yields takes a file through all of it."""
    from kascribe.configuration.reading import load
    from kascribe.console.board import Board
    from kascribe.embedded.stack import EmbeddedStack, Plan
    from models.selftest import SELFTEST_MODEL_NAME

    with TemporaryDirectory(prefix="kascribe-selftest-") as directory:
        plan = Plan(
            model=SELFTEST_MODEL_NAME,
            model_name=SELFTEST_MODEL_NAME,
            directory=Path(directory),
            drop_directory=Path(directory) / "drop",
            transcripts_directory=Path(directory) / "transcripts",
            roles=(Role.TRANSCRIBER,),
        )
        settings = load(overrides={"whisper.device": device}).settings
        with EmbeddedStack(plan, settings, Board(Screen(quiet=True))) as stack:
            yield lambda path: stack.transcribe(path, timeout_seconds=PIPELINE_TIMEOUT_SECONDS)
