"""Outages of the real servers, and when the alert about each begins and ends."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from deploy.stack import default_cache
from deploy.vllm.server import down as vllm_down
from deploy.vllm.server import up as vllm_up
from tests.chaos.monitored.system import CONTEXT_TOKENS, Monitored
from tests.support.waiting import eventually

ALERT_SECONDS: Final = 300.0
POLL_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault of a server, and the alert that has to fire."""

    what: str
    alert: str
    begin: Callable[[], object]
    end: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Observed:
    """When the alert fired after the outage began, and ended after the server was set going again; None: never.

    ``beside`` are the alerts that fired meanwhile.
    """

    what: str
    alert: str
    fired_seconds: float | None
    ended_seconds: float | None
    beside: tuple[str, ...]


def outages(system: Monitored) -> Iterator[Outage]:
    """Yield each server frozen, then stopped."""
    stack = system.stack
    for name, server, alert in (
        ("Kafka", "kafka", "KascribeKafkaDown"),
        ("the object store", "minio", "KascribeBucketDown"),
    ):
        freeze = partial(_signal_server, system, server)
        yield Outage(f"{name} frozen", alert, partial(freeze, signal.SIGSTOP), partial(freeze, signal.SIGCONT))
    yield Outage("Kafka stopped", "KascribeKafkaDown", stack.kafka_stop, stack.kafka_start)
    yield Outage("the object store stopped", "KascribeBucketDown", stack.minio_stop, stack.minio_start)
    model = partial(_signal_model, system)
    alert = "KascribeLanguageModelDown"
    yield Outage("vLLM frozen", alert, partial(model, signal.SIGSTOP), partial(model, signal.SIGCONT))
    yield Outage("vLLM stopped", alert, partial(vllm_down, system.vllm_state), partial(_restart_model, system))


def observe(system: Monitored, outage: Outage) -> Observed:
    """Begin an outage, wait for its alert, end the outage, wait for the alert's end. Blocks for minutes."""
    prometheus = system.prometheus
    beside: set[str] = set()

    def fires() -> bool:
        firing = prometheus.firing()
        beside.update(firing - {outage.alert})
        return outage.alert in firing

    began = time.monotonic()
    outage.begin()
    try:
        fired_seconds = _seconds_until(fires, began)
    finally:
        over = time.monotonic()
        outage.end()
    ended_seconds = _seconds_until(lambda: not fires(), over)
    return Observed(outage.what, outage.alert, fired_seconds, ended_seconds, tuple(sorted(beside)))


def _seconds_until(condition: Callable[[], bool], began: float) -> float | None:
    """Return the time since ``began`` at which the condition holds; None when it does not for minutes."""
    try:
        eventually(condition, timeout_seconds=ALERT_SECONDS, interval_seconds=POLL_SECONDS)
    except AssertionError:
        return None
    return time.monotonic() - began


def _signal_server(system: Monitored, name: str, number: signal.Signals) -> None:
    for status in system.stack.status():
        if status.name.startswith(name) and status.pid:
            os.kill(status.pid, number)


def _signal_model(system: Monitored, number: signal.Signals) -> None:
    for process in system.vllm.processes:
        os.kill(process.pid, number)


def _restart_model(system: Monitored) -> None:
    port = int(system.vllm.base_url.rpartition(":")[2])
    vllm_up(cache=default_cache(), state=system.vllm_state, context_tokens=CONTEXT_TOKENS, port=port)
