"""How a gateway bears clients that abuse it: ``make chaos-gateway``.

The gateway is a process of its own before an embedded broker and bucket. One attack after the other runs on
loopback for some seconds; meanwhile ``/health`` is probed five times a second on new connections. Each line says
how long the slowest probe took, how many lines and bytes the gateway logged, and what it held at the end. Goals:
an answer within a second, and a log and a spool that are bounded. The access log, which has a limit of its own, is
off.
"""

import argparse
import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final

from kascribe.process.logs import configure_logs
from schemas.settings import LogSettings
from tests.flow.front_doors.abuse.attackers import (
    Attack,
    connect_and_hold,
    garbage,
    request_flood,
    slow_body,
    slow_headers,
    under_attack,
)
from tests.flow.front_doors.abuse.gateway_process import GatewayProcess, gateway_process
from tests.flow.gateway import gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import running_object_store

HEALTH_SECONDS: Final = 1.0
LOG_LINES_PER_MINUTE: Final = 20
"""Goal for the lines about refusals: one a minute for each of a few kinds."""

SPOOL_BYTES: Final = 90_000_000
DESCRIPTORS: Final = 4_096
HEADER_LINE_SECONDS: Final = 8.0

Attacker = Callable[[Attack], Coroutine[Any, Any, None]]


def attacks(port: int) -> dict[str, list[Attacker]]:
    """Return the attackers of each attack."""
    lines = partial(slow_headers, port, interval_seconds=HEADER_LINE_SECONDS)
    return {
        "300 sockets, a header line per 8 s": [lines] * 300,
        "1,000 sockets, a header line per 8 s": [lines] * 1_000,
        "600 sockets that send nothing": [partial(connect_and_hold, port)] * 600,
        "3 uploads of 30 MB that stall": [
            partial(slow_body, port, first_bytes=30_000_000, interval_seconds=29.0, declared_bytes=60_000_000)
        ]
        * 3,
        "100 uploads, a byte per 5 s": [
            partial(slow_body, port, first_bytes=0, interval_seconds=5.0, declared_bytes=1_000)
        ]
        * 100,
        "20 clients without a pause": [partial(request_flood, port)] * 20,
        "20 clients without a pause, not found": [partial(request_flood, port, path="/nothing")] * 20,
        "10 clients that speak no HTTP": [partial(garbage, port)] * 10,
    }


def measure(gateway: GatewayProcess, name: str, attackers: list[Attacker], seconds: float) -> bool:
    """Run one attack and print what came of it; return whether health and log met their goals."""
    lines, log_bytes, worked = gateway.log_lines, gateway.log_bytes, gateway.processor_seconds()
    began = time.monotonic()
    spooled: list[int] = []
    attack, probes = asyncio.run(
        under_attack(
            gateway.client.port, attackers, seconds=seconds, look=lambda: spooled.append(gateway.spooled_bytes)
        )
    )
    took = time.monotonic() - began
    lines, log_bytes = gateway.log_lines - lines, gateway.log_bytes - log_bytes
    statuses = {status: attack.answers.count(status) for status in sorted(set(attack.answers))}
    good = probes.worst <= HEALTH_SECONDS and lines <= LOG_LINES_PER_MINUTE * (1 + took / 60)
    print(
        f"{name:40} {took:5.0f} s: health {1000 * probes.worst:6.0f} ms at most, {len(probes.failures)} of "
        f"{len(probes.seconds) + len(probes.failures)} failed; log {lines} lines, {log_bytes / 1e6:.2f} MB; "
        f"spool {max(spooled) / 1e6:.0f} MB; {gateway.descriptors} descriptors; "
        f"{gateway.memory_bytes('VmRSS') / 1e6:.0f} MB; cpu {gateway.processor_seconds() - worked:.1f} s; "
        f"{attack.opened} opened, {attack.closed} closed, {attack.refused} refused, answers {statuses}: "
        f"{'good' if good else 'MISSED'}",
        flush=True,
    )
    if probes.failures:
        print(f"    {probes.failures[0]}")
    return good


def main() -> int:
    """Return 1 when a goal was missed."""
    configure_logs(LogSettings(level="warning"))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=70.0, help="length of each attack")
    parser.add_argument("--descriptors", type=int, default=DESCRIPTORS, help="limit of the gateway's open files")
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        MockCluster() as broker,
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as bench,
        gateway_process(
            bench.settings,
            Path(directory) / "log",
            environment={
                "KASCRIBE_GATEWAY_SPOOL_LIMIT_BYTES": str(SPOOL_BYTES),
                "KASCRIBE_GATEWAY_ACCESS_LOG": "false",
            },
            descriptors=arguments.descriptors,
        ) as gateway,
    ):
        good = [
            measure(gateway, name, attackers, arguments.seconds)
            for name, attackers in attacks(gateway.client.port).items()
            if arguments.only in name
        ]
    print(f"load of the machine, averaged over a minute: {os.getloadavg()[0]:.1f}")
    print(f"{sum(good)} of {len(good)} attacks met their goals")
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
