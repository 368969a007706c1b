"""What tests of the compose files share: where they are, what they require, and how they are resolved."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
REQUIRED: Final = {"MINIO_ROOT_PASSWORD": "a-root-password", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}
ROLES: Final = ("transcriber", "enricher", "archive", "notifier", "gateway", "reconciler")
MONITORING: Final = ("prometheus", "grafana", "collector")
PROFILES: Final = ("vllm", "webhooks", "monitoring")
Resolve = Callable[..., subprocess.CompletedProcess[str]]


def environments(project: dict[str, Any], *services: str) -> Iterator[dict[str, str | None]]:
    """Return the variables that the processes of these services get."""
    for name in services or project["services"]:
        yield project["services"][name].get("environment") or {}
