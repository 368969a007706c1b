"""The commands with which containers check the health of their process, as the files in ``deploy`` have them."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

DEPLOY: Final = Path(__file__).parents[2] / "deploy"


def of_image(target: str) -> list[str]:
    """Return the command of one stage of the Dockerfile: its own, or that of the stage it is built on."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    stages = {
        name: (base, body)
        for base, name, body in re.findall(
            r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", text, re.DOTALL | re.MULTILINE
        )
    }
    while target in stages:
        base, body = stages[target]
        found: list[str] = re.findall(r"^HEALTHCHECK .*?CMD (\[.*\])$", body, re.MULTILINE)
        if found:
            return list(map(str, json.loads(found[-1])))
        target = base
    raise AssertionError(f"no health check for {target}")


def of_image_of_minio() -> list[str]:
    """Return the command of MinIO's image."""
    text = (DEPLOY / "minio" / "Dockerfile").read_text(encoding="utf-8")
    (found,) = re.findall(r"^HEALTHCHECK .*?CMD (\[.*\])$", text, re.MULTILINE)
    return list(map(str, json.loads(found)))


def of_service(name: str) -> list[str]:
    """Return the command of one service, as it stands in the compose file."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    service = re.search(rf"^  {name}:\n(.*?)(?=^  \w|^\w)", text, re.DOTALL | re.MULTILINE)
    assert service is not None
    test = re.search(r"^      test: \[CMD, (.*)\]$", service[1], re.MULTILINE)
    assert test is not None
    return [word.rstrip(",") for word in shlex.split(test[1])]


def exit_code(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a check, return what Docker would see: 0 for healthy. This process's Python stands for the image's."""
    python = {"python": sys.executable, "python3": sys.executable}
    ours = [python.get(command[0], command[0]), *command[1:]]
    variables = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(ours, env=variables, capture_output=True, check=False, timeout=60).returncode
