"""What a person, and a script, see of an examination."""

import json
import os
import re
from pathlib import Path

from rich.cells import cell_len

from tests.integration.health.doctor.test_machine import NOWHERE
from tests.support.terminals import Where, kascribe

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def test_the_table_fits_80_columns_and_is_coloured_on_a_terminal_alone(tmp_path: Path) -> None:
    """Every row has its state; each remedy has its arrow; the exit code says that something failed."""
    environment = {**os.environ, **NOWHERE}
    shown = kascribe(["doctor", "transcriber"], Where.TERMINAL, tmp_path, environment)
    written = kascribe(["doctor", "transcriber"], Where.FILES, tmp_path, environment)
    assert (shown.exit_code, written.exit_code) == (1, 1)
    assert "\x1b[" in shown.screen
    assert "\x1b" not in written.stdout
    assert written.stderr == ""
    for screen in (ESCAPE.sub("", shown.screen), written.stdout):
        lines = screen.replace("\r\n", "\n").splitlines()
        assert [line for line in lines if cell_len(line.rpartition("\r")[2].rstrip()) > 80] == []
        assert [line for line in lines if line in ("Kafka", "S3", "model", "machine", "settings")] != []
        assert re.search(r"  failed  broker +no broker answers at 127\.0\.0\.1:1", screen)
        assert "→ start it" in screen
        assert re.search(r"\d+ ok, .*\d+ failed", screen)


def test_lines_of_json_are_all_that_is_written(tmp_path: Path) -> None:
    """One row each, also where a role is unknown to the command: that is wrong usage."""
    done = kascribe(["doctor", "notifier", "--json"], Where.FILES, tmp_path, {**os.environ, **NOWHERE})
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert {row["state"] for row in rows} <= {"ok", "warning", "failed", "skipped"}
    assert all(row["remedy"] for row in rows if row["state"] in {"warning", "failed"})
    wrong = kascribe(["doctor", "transcribr"], Where.FILES, tmp_path, {**os.environ, **NOWHERE})
    assert wrong.exit_code == 2
    assert "did you mean transcriber?" in wrong.stderr
