"""The roles of the embedded stack, as processes."""

from pathlib import Path

import pytest

from kascribe.embedded.children import Child
from schemas.clock import SystemClock
from tests.support.waiting import eventually


def test_a_role_runs_our_code_wherever_it_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the user's that is called kascribe, in the working directory, is neither run nor in the way."""
    (tmp_path / "kascribe").mkdir()
    (tmp_path / "kascribe" / "__main__.py").write_text("print('not ours')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    child = Child("no-such-role", {}, tmp_path / "log", SystemClock())
    child.start()
    eventually(lambda: child.exit_code is not None, timeout_seconds=120, what="the end of the child")
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "not ours" not in log
    assert "no-such-role" in log
