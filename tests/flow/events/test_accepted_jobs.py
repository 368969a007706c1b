"""Jobs that the gateway accepted, followed from the moment of their acceptance."""

from schemas.options import EnrichOptions
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.flow.events.event_client import JOB, KEY, exists, reading, submit
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import GatewayBench
from tests.sound.wav_listener import wav_bytes

EVENTS = f"/v1/jobs/{JOB}/events"


def test_a_job_can_be_followed_as_soon_as_it_is_accepted(bench: GatewayBench) -> None:
    """Also at another gateway, before any consumer has seen it; its stream waits for the first event."""
    accepting, other = bench.gateway(), bench.gateway()
    bench.engine.gate.clear()
    answer = JobClient(accepting.port).submit(wav_bytes(2), key=KEY)
    assert (answer.status, answer.body["job_id"]) == (202, JOB)
    with reading(other, EVENTS) as reader:
        reader.until("decoding")
        bench.engine.gate.set()
        reader.until_end()
        assert reader.phases[0] == "accepted"
        assert reader.phases[-1] == "completed"
    state = other.request("GET", f"/v1/jobs/{JOB}").body
    assert (state["phase"], state["text"]) == ("completed", "second 1. second 2.")


def test_a_cancelled_job_ends_its_stream_and_a_new_request_starts_it_again(bench: GatewayBench) -> None:
    """The same id, the same stream: what was before, and what comes now."""
    gateway = bench.gateway()
    client = JobClient(gateway.port)
    bench.engine.gate.clear()
    client.submit(wav_bytes(2), key=KEY)
    with reading(gateway, EVENTS) as first:
        first.until("decoding")
        assert client.delete(JOB).status in (200, 202, 204)
        first.until_end()
        assert first.phases[-1] == "cancelled"
    assert gateway.request("GET", f"/v1/jobs/{JOB}").body["phase"] == "cancelled"
    bench.engine.gate.set()
    client.submit(wav_bytes(2), key=KEY)
    client.transcript(JOB)
    with reading(gateway, EVENTS, after=first.last_id) as second:
        second.until_end()
        assert second.phases[0] == "accepted"
        assert second.phases[-1] == "completed"


def test_a_deleted_job_is_not_found(bench: GatewayBench) -> None:
    """Neither its state nor its events, although its events are still in the topic."""
    gateway, other = bench.gateway(), bench.gateway()
    client = JobClient(gateway.port)
    client.submit(wav_bytes(1), key=KEY)
    client.transcript(JOB)
    client.delete(JOB)
    for each in (gateway, other, bench.gateway()):
        for path in (f"/v1/jobs/{JOB}", EVENTS):
            answer = each.request("GET", path)
            assert (answer.status, answer.reason) == (404, "job_not_found")


def test_a_stream_ends_with_the_enrichment_that_the_job_requests(bench: GatewayBench) -> None:
    """After the transcript's end come the enricher's events; so they do at a gateway that was added in between."""
    with running(VllmDouble(context_tokens=4_096)) as double:
        bench.start_enricher(double.base_url)
        double.always = Fault.HANG
        first = bench.gateway()
        submit(bench, enrich=EnrichOptions(profiles=("title",)))
        exists(first)
        with reading(first, EVENTS) as before:
            before.until("enriching")
            state = first.request("GET", f"/v1/jobs/{JOB}").body
            assert (state["phase"], state["stage"], state["text"]) == (
                "enriching",
                "enricher",
                "second 1. second 2. second 3.",
            )
            first.stop()
            before.until_end()
        second = bench.gateway()
        assert second.request("GET", f"/v1/jobs/{JOB}").body["phase"] == "enriching"
        bench.engine.gate.set()
        assert before.phases.count("completed") == 1
        with reading(second, EVENTS, after=before.last_id) as after:
            JobClient(second.port).delete(JOB)
            after.until_end()
        assert [(body["stage"], body["phase"]) for body in after.bodies][-1] == ("enricher", "cancelled")
