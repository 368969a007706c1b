"""Events of all jobs of a tenant over HTTP, at gateways that come and go."""

from collections import defaultdict

from schemas.identity import job_id
from tests.flow.events.event_client import reading, submit
from tests.flow.gateway import GatewayBench
from tests.support.waiting import eventually

PATH = "/v1/events"


def test_events_of_many_jobs_arrive_once_each_over_three_gateways(bench: GatewayBench) -> None:
    """The client connects again with what it has, whatever partition the jobs are in, and misses nothing."""
    keys = [f"call-{number}" for number in range(12)]
    received: list[tuple[str, str, str]] = []
    bodies = []
    cursor = None
    for part in (keys[:4], keys[4:8], keys[8:]):
        gateway = bench.gateway()
        with reading(gateway, PATH, after=cursor) as reader:
            reader.until_open()
            for key in part:
                submit(bench, key, seconds=1 + keys.index(key))  # the same audio would be transcribed once
            reader.until("transcribing")
            gateway.stop()
            reader.until_end()
        received += reader.received
        bodies += reader.bodies
        cursor = reader.last_id
    with reading(bench.gateway(), PATH, after=cursor) as reader:

        def ended() -> set[str]:
            return {body["job_id"] for body in bodies + reader.bodies if body["phase"] == "completed"}

        eventually(lambda: ended() == set(map(job_id, keys)), timeout_seconds=30, what="the end of every job")
    events = bodies + reader.bodies
    assert len({body["event_id"] for body in events}) == len(events)
    phases: dict[str, list[str]] = defaultdict(list)
    for body in events:
        if body["phase"] not in phases[body["job_id"]]:
            phases[body["job_id"]].append(body["phase"])
    whole = ["accepted", "fetching", "decoding", "transcribing", "completed"]
    assert dict(phases) == dict.fromkeys(map(job_id, keys), whole)


def test_a_client_that_lost_its_connection_before_any_event_misses_none(bench: GatewayBench) -> None:
    """The stream begins with its cursor, which a client keeps as that of an event."""
    first = bench.gateway()
    with reading(first, PATH) as reader:
        reader.until_open()
        first.stop()
        reader.until_end()
    submit(bench)
    second = bench.gateway()
    with reading(second, PATH, after=reader.last_id) as again:
        again.until("completed")
        assert again.phases[0] == "accepted"


def test_a_cursor_of_another_form_is_refused(bench: GatewayBench) -> None:
    """400; one beyond the topic is 410."""
    gateway = bench.gateway()
    for cursor, status, reason in (("x", 400, "cursor_invalid"), ("9.9.9.9", 410, "cursor_gone")):
        answer = gateway.request("GET", PATH, headers={"Last-Event-ID": cursor})
        assert (answer.status, answer.reason) == (status, reason)
