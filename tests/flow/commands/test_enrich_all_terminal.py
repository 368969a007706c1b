"""``kascribe enrich --all`` on a terminal of 80 columns, into files, and stopped by Ctrl-C."""

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from tests.flow.commands.enrich_system import EnrichSystem
from tests.support.interrupting import interruptible
from tests.support.terminals import COLUMNS, Where, kascribe
from tests.support.waiting import eventually

STYLES: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
ARGUMENTS: Final = ("enrich", "--all", "--profile", "title")


def test_progress_is_a_line_on_a_terminal_and_absent_in_files(enrich_system: EnrichSystem, tmp_path: Path) -> None:
    """The summary stands below it on standard output; no line is wider than the terminal."""
    enrich_system.publish([f"call {number}" for number in range(12)])
    shown = kascribe(ARGUMENTS, Where.TERMINAL, tmp_path).screen
    assert "12 transcripts read: 12 enriched, 0 enriched already, 0 failed" in shown
    assert re.search(r"\d+/12 read, \d+ enriched, 0 before, 0 failed, \d+ open", shown)
    lines = STYLES.sub("", shown).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= COLUMNS
    again = kascribe(ARGUMENTS, Where.FILES, tmp_path)
    assert again.stdout == "12 transcripts read: 0 enriched, 12 enriched already, 0 failed\n"
    assert re.fullmatch(r"run [0-9a-f]{12}: 12 transcripts\n", again.stderr)


def command(enrich_system: EnrichSystem, directory: Path, *more: str) -> "subprocess.Popen[bytes]":
    """Start the command, with requests that the language model does not answer; wait until one is open."""
    enrich_system.publish([f"call {number}" for number in range(3)])
    enrich_system.double.gate = threading.Event()
    with interruptible():
        process = subprocess.Popen(
            [sys.executable, "-m", "kascribe", *ARGUMENTS, *more],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    eventually(lambda: enrich_system.double.completion_requests, timeout_seconds=60, what="a request")
    return process


def test_ctrl_c_ends_the_run_where_it_is(enrich_system: EnrichSystem, tmp_path: Path) -> None:
    """With a summary; what is with the enricher is done there, and the same command does the rest."""
    process = command(enrich_system, tmp_path, "--json")
    process.send_signal(signal.SIGINT)
    written, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"the same command continues it" in said
    summary = json.loads(written)
    assert (summary["requested"], summary["in_flight"], summary["is_finished"]) == (1, 1, False)
    assert enrich_system.double.gate is not None
    enrich_system.double.gate.set()
    rest = enrich_system.enrich("--profile", "title")
    assert (rest["is_resumed"], rest["is_finished"]) == (True, True)
    assert len(enrich_system.enrichments(3)) == 3


def test_a_second_ctrl_c_ends_the_command_at_once(enrich_system: EnrichSystem, tmp_path: Path) -> None:
    """Also where the first one waits for a broker that does not answer."""
    process = command(enrich_system, tmp_path)
    enrich_system.broker.delay_answers(60_000)

    def has_ended() -> bool:
        # Sent until then: signals that arrive at one moment count as one.
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    eventually(has_ended, timeout_seconds=20, what="the end")
    assert process.returncode == 128 + signal.SIGINT
    enrich_system.broker.delay_answers(0)
    _, said = process.communicate()
    assert b"Traceback" not in said
    assert enrich_system.double.gate is not None
    enrich_system.double.gate.set()
