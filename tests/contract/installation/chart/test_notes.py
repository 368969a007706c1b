"""What Helm prints after an installation: commands that work with these values."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from deploy.helm.chart import CHART, render
from tests.contract.installation.chart.rendering import CPU, Chart

TLS = 'gateway.tlsSecret="gateway-tls"'
KEYS = 'gateway.settings.KASCRIBE_GATEWAY_KEYS="required"'
HOSTS = 'settings.KASCRIBE_GATEWAY_ALLOWED_HOSTS="asr.example,other.example"'


def notes(chart: Chart, directory: Path, *sets: str) -> str:
    """Render the notes as a manifest: ``helm template`` leaves them out, and ``helm install`` needs a cluster."""
    copy = directory / "kascribe"
    shutil.copytree(CHART, copy)
    text = (copy / "templates" / "NOTES.txt").read_text(encoding="utf-8")
    document = (
        '{{- define "notes" -}}' + text + '{{- end }}\nkind: Notes\ntext: {{ include "notes" . | toJson }}\n'
    )
    (copy / "templates" / "printed.yaml").write_text(document, encoding="utf-8")
    (found,) = [each for each in render(chart.tools, CPU, sets=sets, chart=copy) if each["kind"] == "Notes"]
    return str(found["text"])


def curl(printed: str) -> list[str]:
    """Return the words of the one request."""
    (line,) = re.findall(r"^  (curl .*)$", printed, re.MULTILINE)
    return shlex.split(line)


FILE = ["curl", "-F", "file=@meeting.m4a"]
KEY = ["-H", "Authorization: Bearer $KEY"]


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ((), [*FILE, "http://localhost:8001/transcribe"]),
        ((KEYS,), [*FILE, *KEY, "http://localhost:8001/transcribe"]),
        (
            (HOSTS,),
            [*FILE, "--resolve", "asr.example:8001:127.0.0.1", "http://asr.example:8001/transcribe"],
        ),
        (
            (TLS,),
            [*FILE, "--cacert", "ca.crt", "--resolve", "NAME:8001:127.0.0.1", "https://NAME:8001/transcribe"],
        ),
        (
            (TLS, KEYS, HOSTS),
            [
                *(*FILE, "--cacert", "ca.crt", "--resolve", "asr.example:8001:127.0.0.1", *KEY),
                "https://asr.example:8001/transcribe",
            ],
        ),
    ],
)
def test_the_request_suits_the_gateway(
    chart: Chart, tmp_path: Path, sets: tuple[str, ...], words: list[str]
) -> None:
    """It is sent under an allowed host, with a key where keys are required, and trusts the certificate."""
    printed = notes(chart, tmp_path, *sets)
    assert curl(printed) == words
    assert ("kascribe keys add" in printed) == (KEYS in sets)


@pytest.mark.parametrize("role", ["transcriber", "gateway"])
def test_no_command_is_about_a_role_that_is_off(chart: Chart, tmp_path: Path, role: str) -> None:
    """A rollout of the transcriber and a request to the gateway only where these are enabled."""
    command = {"transcriber": "rollout status", "gateway": "curl"}[role]
    printed = notes(chart, tmp_path, f"{role}.enabled={json.dumps(False)}")
    assert command not in printed
    assert f"kascribe-{role}" not in printed
