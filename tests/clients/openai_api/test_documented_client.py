"""The program in ``docs/http-api.md`` that reads a stream with OpenAI's client."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.flow.gateway import Gateway
from tests.sound.wav_listener import wav_bytes

PAGE: Final = Path(__file__).parents[3] / "docs" / "http-api.md"


def test_the_program_prints_the_text(gateway: Gateway, tmp_path: Path) -> None:
    """As the page has it, but for the port."""
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert "localhost:8001/v1" in program
    (tmp_path / "audio.wav").write_bytes(wav_bytes(2))
    done = subprocess.run(
        [sys.executable, "-c", program.replace("localhost:8001", f"localhost:{gateway.port}")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "second 1. second 2."), done.stderr
