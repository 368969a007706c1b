"""A gateway as a process of its own, with its log, descriptors, memory and spool in view."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from schemas.settings import Settings
from tests.flow.gateway import Client
from tests.support.waiting import eventually

START_SECONDS: Final = 120.0
END_SECONDS: Final = 30.0
CLIENT_TIMEOUT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A running gateway: its client, its process and the file that its log goes to."""

    client: Client
    process_id: int
    log: Path

    @property
    def log_lines(self) -> int:
        """The number of lines that it has logged."""
        return self.log.read_bytes().count(b"\n")

    @property
    def log_bytes(self) -> int:
        """The size of its log."""
        return self.log.stat().st_size

    @property
    def descriptors(self) -> int:
        """The number of its open descriptors."""
        return len(list(Path(f"/proc/{self.process_id}/fd").iterdir()))

    @property
    def spooled_bytes(self) -> int:
        """The size of its open files without a name: the spooled parts of uploads."""
        total = 0
        for descriptor in Path(f"/proc/{self.process_id}/fd").iterdir():
            with suppress(FileNotFoundError):
                if str(descriptor.readlink()).endswith(" (deleted)"):
                    total += descriptor.stat().st_size
        return total

    def memory_bytes(self, name: str) -> int:
        """Read a size from its status (Linux): VmRSS is the memory it has now, VmHWM the most it had."""
        status = Path(f"/proc/{self.process_id}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024

    def processor_seconds(self) -> float:
        """Return the time of all its threads, user and system (Linux); a busy machine does not affect it."""
        after_name = Path(f"/proc/{self.process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def gateway_process(
    settings: Settings, log: Path, *, environment: Mapping[str, str] | None = None, descriptors: int | None = None
) -> Iterator[GatewayProcess]:
    """Run ``kascribe run gateway`` before these services until the context ends; yield it once it is healthy.

    ``environment`` adds variables; ``descriptors`` limits the files that it may have open, soft and hard.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    variables = {
        "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "KASCRIBE_S3_ENDPOINT_URL": settings.s3.endpoint_url or "",
        "KASCRIBE_S3_BUCKET": settings.s3.bucket,
        "KASCRIBE_GATEWAY_PORT": str(port),
        "KASCRIBE_LOG_FORMAT": "json",
        **(environment or {}),
    }
    limit = (
        partial(resource.setrlimit, resource.RLIMIT_NOFILE, (descriptors, descriptors)) if descriptors else None
    )
    command = [sys.executable, "-m", "kascribe", "run", "gateway"]
    with (
        log.open("ab") as stderr,
        subprocess.Popen(command, env={**os.environ, **variables}, stderr=stderr, preexec_fn=limit) as process,  # noqa: PLW1509
    ):
        client = Client(port, timeout_seconds=CLIENT_TIMEOUT_SECONDS)
        try:
            eventually(partial(_is_healthy, client, process), timeout_seconds=START_SECONDS, what="its start")
            yield GatewayProcess(client, process.pid, log)
        finally:
            process.terminate()
            process.wait(END_SECONDS)


def _is_healthy(client: Client, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "the gateway ended"
    try:
        return bool(client.request("GET", "/health").body["status"] == "ok")
    except OSError:
        return False
