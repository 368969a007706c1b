"""A job's state and its events, followed by a client that is not ours, over gateways that come and go."""

import threading

import pytest

from schemas.identity import job_id
from tests.flow.events.event_client import JOB, KEY, exists, reading, submit
from tests.flow.gateway import GatewayBench
from tests.sound.wav_listener import wav_bytes
from tests.support.waiting import eventually

PATH = f"/v1/jobs/{JOB}"
EVENTS = f"{PATH}/events"
PHASES = ["accepted", "fetching", "decoding", "transcribing", "transcribing", "completed"]


def test_a_job_is_followed_from_its_beginning_to_its_end(bench: GatewayBench) -> None:
    """However late the client comes: first what was, then what comes, then the end of the stream."""
    gateway = bench.gateway()
    bench.engine.gate.clear()
    submit(bench)
    eventually(lambda: bench.engine.running, timeout_seconds=20)
    with reading(gateway, EVENTS) as early:
        early.until("decoding")
        state = gateway.request("GET", PATH)
        assert (state.status, state.body["phase"], state.body["stage"]) == (200, "decoding", "transcriber")
        bench.engine.gate.set()
        early.until_end()
        assert early.phases == PHASES
        with reading(gateway, EVENTS) as late:
            late.until_end()
            assert late.received == early.received
    assert " ".join(body["text"] for body in early.bodies if "text" in body) == "second 1. second 2. second 3."
    last = early.bodies[-1]
    assert last["idempotency_key"] == KEY
    assert last["result_uri"].startswith("s3://")
    assert last["links"]["transcript"] == f"{PATH}/transcript"
    state = gateway.request("GET", PATH)
    assert (state.body["phase"], state.body["fraction"]) == ("completed", 1.0)
    assert state.body["text"] == "second 1. second 2. second 3."
    assert state.body["transcript_uri"] == last["result_uri"]


def test_a_client_that_has_all_events_of_an_ended_job_gets_204(bench: GatewayBench) -> None:
    """An EventSource stops then; by the header and by the parameter, at any gateway."""
    submit(bench)
    gateway = bench.gateway()
    exists(gateway)
    with reading(gateway, EVENTS) as whole:
        whole.until_end()
    gateway = bench.gateway()
    for path, headers in (
        (EVENTS, {"Last-Event-ID": whole.last_id}),
        (f"{EVENTS}?last_event_id={whole.last_id}", {}),
    ):
        assert gateway.status("GET", path, headers) == 204


def test_a_stream_that_a_restart_cut_goes_on_at_the_new_gateway(bench: GatewayBench) -> None:
    """In the middle of a job; each event arrives once, and the job itself does not notice."""
    bench.engine.gate.clear()
    first = bench.gateway()
    submit(bench)
    exists(first)
    with reading(first, EVENTS) as before:
        before.until("decoding")
        first.stop()
        before.until_end()
    second = bench.gateway()
    assert second.request("GET", PATH).body["phase"] == "decoding"
    with reading(second, EVENTS, after=before.last_id) as after:
        bench.engine.gate.set()
        after.until_end()
    assert before.phases + after.phases == PHASES
    ids = [body["event_id"] for body in (*before.bodies, *after.bodies)]
    assert len(set(ids)) == len(ids)
    assert bench.engine.calls == 1


@pytest.mark.parametrize("cut", range(len(PHASES) - 1))
def test_a_stream_is_resumed_after_any_of_its_events(bench: GatewayBench, cut: int) -> None:
    """At a gateway that was added after the job had ended."""
    submit(bench)
    gateway = bench.gateway()
    exists(gateway)
    with reading(gateway, EVENTS) as whole:
        whole.until_end()
    with reading(bench.gateway(), EVENTS, after=whole.events[cut].id) as rest:
        rest.until_end()
    assert rest.received == whole.received[cut + 1 :]


def test_jobs_of_every_origin_have_a_state(bench: GatewayBench) -> None:
    """A request that waits, a reference of another program, and a failure among them."""
    gateway = bench.gateway()
    posted = gateway.post("/transcribe", wav_bytes(1)).body["job_id"]
    submit(bench, "ours")
    submit(bench, "broken", audio=b"this is no audio")
    ends = {}
    for job in (posted, job_id("ours"), job_id("broken")):
        exists(gateway, f"/v1/jobs/{job}")
        with reading(gateway, f"/v1/jobs/{job}/events") as reader:
            reader.until_end()
            ends[job] = (reader.phases[-1], gateway.request("GET", f"/v1/jobs/{job}").body["phase"])
    assert ends == {
        posted: ("completed", "completed"),
        job_id("ours"): ("completed", "completed"),
        job_id("broken"): ("failed", "failed"),
    }
    failure = gateway.request("GET", f"/v1/jobs/{job_id('broken')}").body["failure"]
    assert failure["reason"] == "audio_undecodable"
    assert failure["message"]
    # A gateway that never saw the job says the same.
    assert bench.gateway().request("GET", f"/v1/jobs/{job_id('broken')}").body["failure"] == failure


@pytest.mark.parametrize("job", ["0" * 32, "J" * 32, "x", "..", "%2e%2e%2fx", "0" * 33])
def test_a_job_that_does_not_exist_is_not_found(bench: GatewayBench, job: str) -> None:
    """Neither its state nor its events; ids of another form are not even looked up."""
    gateway = bench.gateway()
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/events"):
        answer = gateway.request("GET", path)
        assert (answer.status, answer.reason) in ((404, "job_not_found"), (404, "not_found"))


@pytest.mark.parametrize("cursor", ["x", "1.2", "-1-2", "1-2-3", "9" * 9_000])
def test_a_cursor_of_another_form_is_refused(bench: GatewayBench, cursor: str) -> None:
    """400, before any event."""
    submit(bench)
    gateway = bench.gateway()
    exists(gateway)
    answer = gateway.request("GET", EVENTS, headers={"Last-Event-ID": cursor})
    assert (answer.status, answer.reason) == (400, "cursor_invalid")


def test_a_cursor_beyond_the_topic_is_gone(bench: GatewayBench) -> None:
    """410: it is of another topic, or of one that was deleted."""
    submit(bench)
    gateway = bench.gateway()
    exists(gateway)
    answer = gateway.request("GET", EVENTS, headers={"Last-Event-ID": "0-999999"})
    assert (answer.status, answer.reason) == (410, "cursor_gone")


def test_many_clients_follow_one_job_at_several_gateways(bench: GatewayBench) -> None:
    """Each gets all of it."""
    gateways = [bench.gateway() for _ in range(3)]
    bench.engine.gate.clear()
    submit(bench)
    eventually(lambda: bench.engine.running, timeout_seconds=20)
    found: list[list[str]] = []

    def follow(number: int) -> None:
        with reading(gateways[number % 3], EVENTS) as reader:
            reader.until_end()
            found.append(reader.phases)

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    eventually(lambda: sum(gateway.streams for gateway in gateways) == 30, timeout_seconds=30)
    bench.engine.gate.set()
    for thread in threads:
        thread.join(30)
    assert found == [PHASES] * 30
    assert sum(gateway.streams for gateway in gateways) == 0
