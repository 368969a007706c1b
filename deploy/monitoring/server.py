"""A real Prometheus on loopback, with our rules and a few targets, as demonstrations and tests use it."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from deploy.stack.state import LOOPBACK, free_port

PROGRAM: Final = "prometheus"
READY_SECONDS: Final = 60.0
END_SECONDS: Final = 15.0
REQUEST_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.1


class PrometheusUnavailable(Exception):
    """Prometheus is not installed or does not start; the message says what to do."""


class Prometheus:
    """One server. Used as a context: it is ready inside, and ended and its data left behind afterwards.

    ``targets`` are the ports of roles by job. Entering raises PrometheusUnavailable.
    """

    def __init__(
        self, directory: Path, targets: Mapping[str, int], *, rules: str, interval_seconds: int = 1
    ) -> None:
        self.directory = directory
        with ExitStack() as held:
            self.base_url = f"http://{LOOPBACK}:{free_port(held)}"
        self._targets = targets
        self._rules = rules
        self._interval_seconds = interval_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = shutil.which(PROGRAM)
        if program is None:
            raise PrometheusUnavailable("prometheus is not on PATH: install Debian's package prometheus")
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "alerts.yaml").write_text(self._rules, encoding="utf-8")
        configuration = self.directory / "prometheus.yaml"
        configuration.write_text(json.dumps(self._configuration()), encoding="utf-8")  # JSON is YAML too
        command = [
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={self.base_url.removeprefix('http://')}",
            "--log.level=warn",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._await_ready(self._process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    @property
    def log(self) -> Path:
        """What it says on its output."""
        return self.directory / "prometheus.log"

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        alerts = self._request("/api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def targets_up(self) -> set[str]:
        """Return the jobs whose targets were all scraped at the last attempt."""
        targets = self._request("/api/v1/targets?state=active")["activeTargets"]
        down = {each["labels"]["job"] for each in targets if each["health"] != "up"}
        return {each["labels"]["job"] for each in targets} - down

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression now. Raises ValueError with Prometheus's message."""
        found: list[dict[str, Any]] = self._request("/api/v1/query", query=expression)["result"]
        return found

    def query_range(
        self, expression: str, *, begin: float, end: float, step_seconds: float
    ) -> list[dict[str, Any]]:
        """Return the series of an expression over a time. Raises ValueError with Prometheus's message."""
        found: list[dict[str, Any]] = self._request(
            "/api/v1/query_range", query=expression, start=str(begin), end=str(end), step=str(step_seconds)
        )["result"]
        return found

    def _configuration(self) -> dict[str, Any]:
        interval = f"{self._interval_seconds}s"
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}
            for job, port in self._targets.items()
        ]
        timing = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
        return {"global": timing, "rule_files": ["alerts.yaml"], "scrape_configs": jobs}

    def _await_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.base_url}/-/ready", timeout=REQUEST_SECONDS):  # noqa: S310
                    return
            except OSError:
                time.sleep(POLL_SECONDS)
        self._end()
        raise PrometheusUnavailable(f"prometheus does not start:\n{self.log.read_text(errors='replace')[-2_000:]}")

    def _request(self, path: str, **parameters: str) -> Any:
        url = f"{self.base_url}{path}" + (f"?{urllib.parse.urlencode(parameters)}" if parameters else "")
        try:
            with urllib.request.urlopen(url, timeout=REQUEST_SECONDS) as answer:  # noqa: S310 - loopback
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error).get("error", str(error))) from error

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def missing_programs() -> Sequence[str]:
    """Return what of Prometheus is not on PATH."""
    return [name for name in (PROGRAM, "promtool") if shutil.which(name) is None]
