"""How processes end that cannot go on: at once, with a code and a sentence, whatever waits for a dead thread."""

import json
import subprocess
import sys
import threading

import pytest

from kascribe.process.endings import THREAD_DIED_EXIT_CODE, ended_by_dead_threads

ENGINE_THAT_DIES = """
from concurrent.futures import Future
from kascribe.process import logs
from kascribe.process.endings import ended_by_dead_threads
from models.whisper.inference.engine import Engine
from schemas.clock import SystemClock
from schemas.settings import LogSettings
from tests.unit.models.whisper.inference.echo_model import Echo, row

logs.configure_process(LogSettings(format="json"))
model = Echo()
model.failure = SystemExit("a thread that ends")
with ended_by_dead_threads():
    engine = Engine(model, replicas=1, batch_rows=4, hang_timeout_seconds=60, clock=SystemClock())
    engine.submit(row(1.0))
    Future().result()  # what waits for the engine waits for ever
"""


@pytest.mark.parametrize("error", [ZeroDivisionError("a defect"), SystemExit("a thread that ends")], ids=repr)
def test_a_thread_that_dies_ends_the_process_and_is_named(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a code of its own; what it died of is in the sentence, and where in the traceback above it."""

    def die() -> None:
        raise error

    codes: list[int] = []
    before = threading.excepthook
    with ended_by_dead_threads(end=codes.append):
        thread = threading.Thread(target=die, name="outbox")
        thread.start()
        thread.join()
    said = capsys.readouterr().err
    assert codes == [THREAD_DIED_EXIT_CODE]
    assert "in die" in said
    assert said.splitlines()[-1].startswith(f"kascribe: the thread outbox died of {error!r}")
    assert threading.excepthook is before


def test_threads_that_end_well_end_no_process() -> None:
    """Nor do those that were never watched."""
    codes: list[int] = []
    with ended_by_dead_threads(end=codes.append):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
    assert codes == []


def test_a_process_whose_engine_died_ends_though_its_main_thread_waits() -> None:
    """Its last line is JSON as all the others, and says which thread died."""
    ended = subprocess.run(
        [sys.executable, "-c", ENGINE_THAT_DIES], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == THREAD_DIED_EXIT_CODE, ended.stderr
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert lines[-1]["event"] == "the process ends"
    assert lines[-1]["why"].startswith("the thread whisper-0 died of SystemExit")
    assert ended.stdout == ""
