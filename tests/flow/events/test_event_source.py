"""A browser's own EventSource follows a job over a restart of its gateway, with nothing but a URL."""

import json

from tests.flow.events.event_client import JOB, exists, submit
from tests.flow.gateway import GatewayBench
from tests.support.browser import visiting
from tests.support.waiting import eventually

FOLLOW = """
path => {
    window.seen = [];
    window.source = new EventSource(path);
    const names = ["accepted", "fetching", "decoding", "transcribing", "retrying", "completed", "failed"];
    for (const name of names)
        window.source.addEventListener(name, event => window.seen.push([event.lastEventId, name]));
}
"""
SEEN = "JSON.stringify([window.seen, window.source.readyState])"
CLOSED = 2


def test_an_event_source_survives_a_restart_and_stops_at_the_end(bench: GatewayBench) -> None:
    """It connects again by itself, at the new process on the old port: each event once, and then no more tries."""
    bench.engine.gate.clear()
    first = bench.gateway()
    port = first.port
    submit(bench)
    exists(first)
    with visiting(f"http://127.0.0.1:{port}/docs") as visit:

        def seen() -> tuple[list[list[str]], int]:
            events, state = json.loads(visit.page.evaluate(SEEN))
            return events, state

        visit.page.evaluate(FOLLOW, f"/v1/jobs/{JOB}/events")
        eventually(lambda: "decoding" in [name for _, name in seen()[0]], timeout_seconds=20)
        first.stop()
        first.thread.join(20)
        bench.gateway(port=port)
        bench.engine.gate.set()
        eventually(lambda: seen()[1] == CLOSED, timeout_seconds=60, interval_seconds=0.2, what="the end")
        events = seen()[0]
    assert [name for _, name in events] == [
        "accepted",
        "fetching",
        "decoding",
        "transcribing",
        "transcribing",
        "completed",
    ]
    assert len({cursor for cursor, _ in events}) == len(events)
