"""A real OpenTelemetry Collector for tests: built once into the cache, one process for each test."""

import http.client
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.collector import traces
from deploy.collector.building import collector_command, collector_environment
from deploy.collector.traces import CollectedSpan
from tests.demo.role import free_port
from tests.support.waiting import eventually

SECONDS: Final = 60.0


class RunningCollector:
    """A collector on loopback that writes a file. It can be frozen, killed, and started again."""

    def __init__(self, program: Path, directory: Path) -> None:
        self.file = directory / "traces.jsonl"
        self.port, self._health_port = free_port(), free_port()
        self._log = directory / "collector.log"
        self._command = collector_command(program)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which a role sends its traces here, and gives up on one that hangs."""
        return {
            "KASCRIBE_TRACING_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "KASCRIBE_TRACING_TIMEOUT_SECONDS": "1",
        }

    def start(self) -> None:
        """Start it, and wait until it is healthy."""
        environment = collector_environment(port=self.port, health_port=self._health_port, file=self.file)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
        eventually(self._is_healthy, timeout_seconds=SECONDS, what=f"the collector ({self._log})")

    def freeze(self) -> None:
        """Stop its process without ending it: connections are accepted, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End it; what it has taken is written."""
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(SECONDS)
            self._process = None

    def trace_with(self, condition: Callable[[list[CollectedSpan]], bool], *, what: str) -> list[CollectedSpan]:
        """Wait for a trace that meets a condition; return its spans by their beginning."""

        def found() -> list[CollectedSpan] | None:
            grouped = traces.by_trace(traces.read(self.file)).values()
            return next((spans for spans in grouped if condition(spans)), None)

        return eventually(found, timeout_seconds=SECONDS, interval_seconds=0.2, what=what)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _is_healthy(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the collector ended:\n{self._log.read_text()[-4000:]}")
        connection = http.client.HTTPConnection("127.0.0.1", self._health_port, timeout=2)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def collecting(program: Path, directory: Path) -> Iterator[RunningCollector]:
    """Run a collector until the context ends."""
    collector = RunningCollector(program, directory)
    collector.start()
    try:
        yield collector
    finally:
        collector.end()
