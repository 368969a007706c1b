"""``kascribe reconcile`` as a child process, as an operator starts it."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.demo.role import free_port
from tests.support.waiting import eventually

END_SECONDS = 60.0


def reconcile_once(environment: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command once, with objects of any age."""
    command = [sys.executable, "-m", "kascribe", "reconcile", "--once", "--min-age", "0s", *options]
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=END_SECONDS,
    )


class RepeatedReconcile:
    """The command that runs every half second, with objects of any age."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path, log: Path, health_port: int) -> None:
        self._process = process
        self._output = output
        self.log = log
        self._health_port = health_port

    def summaries(self) -> list[dict[str, Any]]:
        """Return the summaries of the runs so far."""
        lines = self._output.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def wait_for(self, condition: Callable[[dict[str, Any]], bool], *, what: str) -> dict[str, Any]:
        """Wait for the summary of a run that satisfies a condition."""

        def found() -> dict[str, Any] | None:
            if self._process.poll() is not None:
                raise AssertionError(f"it ended with {self._process.returncode}:\n{self.log.read_text()}")
            return next((summary for summary in self.summaries() if condition(summary)), None)

        return eventually(found, timeout_seconds=END_SECONDS, what=f"{what} ({self.log})")

    def published(self) -> int:
        """Return how many references were published so far."""
        return sum(summary["published"] for summary in self.summaries())

    def logged(self, event: str) -> int:
        """Return how often an event was logged."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return sum(json.loads(line)["event"].startswith(event) for line in lines if line.startswith("{"))

    def health(self, check: str) -> int:
        """Return the status of a health check; 0 when nothing answers."""
        url = f"http://127.0.0.1:{self._health_port}{check}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def metrics(self) -> str:
        """Return the metrics."""
        url = f"http://127.0.0.1:{self._health_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(END_SECONDS)


@contextmanager
def reconciling(environment: Mapping[str, str], directory: Path) -> Iterator[RepeatedReconcile]:
    """Run the command until the context ends, if it has not ended before."""
    output, log, health_port = directory / "reconcile.json", directory / "reconcile.log", free_port()
    command = [sys.executable, "-m", "kascribe", "reconcile", "--every", "0.5s", "--min-age", "0s", "--json"]
    settings = {"KASCRIBE_LOG_FORMAT": "json", "KASCRIBE_SERVER_PORT": str(health_port)}
    with (
        output.open("wb") as out,
        log.open("wb") as err,
        subprocess.Popen(
            command, env={**os.environ, **environment, **settings}, stdout=out, stderr=err
        ) as process,
    ):
        try:
            yield RepeatedReconcile(process, output, log, health_port)
        finally:
            process.kill()
