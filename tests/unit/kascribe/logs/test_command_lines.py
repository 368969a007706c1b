"""What the code below a command logs is beside its result, never in it."""

import subprocess
import sys
from typing import Final

COMMAND: Final = """
import atexit, sys, structlog
from kascribe.cli import main
log = structlog.get_logger()
atexit.register(lambda: log.info("too little to tell"))
atexit.register(lambda: log.warning("planted warning", url="https://hub.example/file?X-Amz-Signature=0123abcd"))
sys.argv = ["kascribe", "--version"]
main()
"""


def test_warnings_are_on_standard_error_without_secrets_and_the_result_alone_on_standard_output() -> None:
    """Scripts parse the one, and an agent's protocol is on it."""
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("kascribe ")
    assert len(ended.stdout.splitlines()) == 1
    (warning,) = ended.stderr.splitlines()
    assert "planted warning" in warning
    assert "0123abcd" not in warning
