"""The commands of the section on keys in ``docs/http-api.md``, as a shell runs them."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from producers.gateway.access import key_ring
from tests.flow.gateway import GatewayBench, Response
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import MOTO_CREDENTIALS
from tests.support.waiting import eventually

PAGE: Final = Path(__file__).parents[4] / "docs" / "http-api.md"


def commands(section: str) -> list[str]:
    """Return the lines that a reader types in a section, without their prompts."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def test_the_commands_about_keys_do_what_the_page_says(
    bench: GatewayBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is made, used both ways, listed and revoked; then it is refused."""
    monkeypatch.setattr(key_ring, "CACHE_SECONDS", 0.1)
    gateway = bench.gateway(keys="required")
    (tmp_path / "audio.wav").write_bytes(wav_bytes(2))
    typed = "\n".join(commands("Keys and limits"))
    assert typed.count("kascribe keys") == 4
    script = f'set -euo pipefail\n{typed}\necho "the key is $KEY"'
    s3 = bench.settings.s3
    environment = {
        **MOTO_CREDENTIALS,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KASCRIBE_S3_ENDPOINT_URL": str(s3.endpoint_url),
        "KASCRIBE_S3_BUCKET": s3.bucket,
    }
    done = subprocess.run(
        ["bash", "-c", script.replace("localhost:8001", f"localhost:{gateway.port}")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert '"text":"second 1. second 2."' in done.stdout
    assert '"object":"list"' in done.stdout
    assert "\tacme\ttranscribe,read\t" in done.stdout
    assert re.search(r"^revoked [0-9a-f]{12} \(web\)$", done.stdout, re.MULTILINE)
    headers = {"Authorization": f"Bearer {done.stdout.rpartition('the key is ')[2].strip()}"}

    def refused() -> Response | None:
        tried = gateway.request("GET", "/v1/models", headers=headers)
        return tried if tried.status == 401 else None

    answer = eventually(refused, timeout_seconds=20, what="the revocation")
    assert answer.body["error"]["code"] == "key_revoked"
