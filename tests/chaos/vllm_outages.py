"""Language model servers that fail, under the real runtime: what was lost, doubled or dead-lettered, and how long
intake paused. ``python -m tests.chaos.vllm_outages`` uses the double; ``--real`` kills and stops a real vLLM.

An outage begins when requests are in flight. Both: enriched, and a dead letter as well. Doubled: another event for
the same job. Repeated: the same event again, byte for byte, as at-least-once has it when an offset could not be
committed. The broker is librdkafka's mock cluster and the object store is moto's: what is tested is the enricher.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from deploy.stack.cache import default_cache
from deploy.vllm.server import VllmServer, down, find_server, is_healthy, up
from tests.chaos.counting import HEADER, Row
from tests.chaos.outage_system import RECORDS, Outage, system
from tests.contract.vllm.vllm_double import VllmDouble
from tests.contract.vllm.vllm_double import running as running_double
from tests.contract.vllm.vllm_faults import Fault
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import ObjectStore, running_object_store
from tests.support.waiting import eventually

TRANSPORT: Final = (Fault.BUSY, Fault.ERROR, Fault.GARBAGE, Fault.HANG, Fault.DISCONNECT, Fault.CUT_CONNECTION)
"""What a server does whatever the request: no record may be held to account for it."""


def on_double(store: ObjectStore, broker: MockCluster) -> Iterator[Row]:
    """Run every fault on the double, lasting and for every third request."""
    with running_double(VllmDouble(context_tokens=4_096)) as double, system(broker, store, double.base_url) as one:
        yield one.run(held(double, Outage("nothing", lasts=False)))
        for fault in TRANSPORT:
            yield one.run(every_request(double, fault))
        for fault in sorted(set(Fault) - {Fault.NONE, Fault.REFUSED, Fault.HANG}):
            yield one.run(every_third_request(double, fault))
        yield one.run(held(double, Outage("nothing, again", lasts=False)))


def held(double: VllmDouble, outage: Outage) -> Outage:
    """Hold requests at the double until the outage has begun, so that it meets them in flight."""
    gate = threading.Event()

    def hold() -> None:
        double.faults.clear()
        double.gate = gate

    def begin() -> None:
        outage.begin()
        gate.set()

    return replace(outage, before=hold, begin=begin)


def every_request(double: VllmDouble, fault: Fault) -> Outage:
    """Make each request fail in this way until intake pauses."""

    def always(wrong: Fault) -> None:
        double.always = wrong

    return held(
        double,
        Outage(f"every request: {fault.value}", partial(always, fault), partial(always, Fault.NONE)),
    )


def every_third_request(double: VllmDouble, fault: Fault) -> Outage:
    """Make one of three requests fail in this way. A record whose answers stay invalid may be refused."""

    def sometimes() -> None:
        double.faults = deque([fault, Fault.NONE, Fault.NONE] * RECORDS)

    what = f"every third request: {fault.value}"
    outage = Outage(what, sometimes, lasts=False, may_be_refused=fault not in TRANSPORT)
    return held(double, outage)


def on_real(store: ObjectStore, broker: MockCluster, state: Path) -> Iterator[Row]:
    """Stop, kill and restart a real server on its port."""
    server = up(cache=default_cache(), state=state, context_tokens=2_048)
    port = int(server.base_url.rpartition(":")[2])
    stop, go_on, kill = (
        partial(signalled, state, number) for number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL)
    )

    def restart() -> None:
        down(state)
        up(cache=default_cache(), state=state, context_tokens=2_048, port=port)

    try:
        with system(broker, store, server.base_url) as one:
            yield one.run(Outage("nothing", lasts=False))
            yield one.run(Outage("SIGSTOP to every process, then SIGCONT", stop, go_on))
            yield one.run(Outage("SIGKILL to every process, then a restart", kill, restart))
            yield one.run(Outage("SIGTERM, then a restart", partial(terminated, state), restart))
            yield one.run(Outage("nothing, again", lasts=False))
    finally:
        down(state)


def signalled(state: Path, number: signal.Signals) -> None:
    """Send a signal to every process of the server that we started in ``state``."""
    for process in known(state).processes:
        os.kill(process.pid, number)


def terminated(state: Path) -> None:
    """Send SIGTERM to the server's first process, and wait until it does not answer."""
    server = known(state)
    os.kill(server.process.pid, signal.SIGTERM)
    eventually(lambda: not is_healthy(server), timeout_seconds=60, what="ending")


def known(state: Path) -> VllmServer:
    """Return the server that was started there."""
    server = find_server(state)
    if server is None:
        raise SystemExit(f"no server in {state}")
    return server


def main() -> int:
    """Print the table; return 1 when anything was lost or doubled, or refused because a server failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.vllm_outages", description=__doc__)
    parser.add_argument("--real", action="store_true", help="a real vLLM server instead of the double")
    parser.add_argument("--state", type=Path, default=default_cache() / "vllm" / "chaos", help="of the server")
    chosen = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    bad = 0
    print(HEADER)
    with running_object_store() as store, MockCluster() as broker:
        for row in on_real(store, broker, chosen.state) if chosen.real else on_double(store, broker):
            print(row, flush=True)
            bad += row.is_bad
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
