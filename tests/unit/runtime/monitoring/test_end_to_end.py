"""The time from a reference to the broker's confirmation of its answer."""

from typing import Final

from schemas.kafka.records import Answered, OutgoingRecord
from schemas.options import Lane
from tests.unit.runtime.committer_bench import committer_bench

SAMPLE: Final = "kascribe_end_to_end_seconds"


def test_the_end_of_a_request_is_the_broker_s_confirmation_of_its_answer() -> None:
    """By lane, from the time that the reference names: waiting for a broker that is away counts as well."""
    with committer_bench((0, "")) as bench:
        requested_at = bench.clock.now()
        bench.clock.seconds = 3.0
        bench.arrive(0)
        (flight,) = bench.turn()
        answer = OutgoingRecord("out", b"key", b"value", answers=Answered(requested_at, Lane.INTERACTIVE))
        bench.finish(flight, answer, OutgoingRecord("progress", b"key", b"value"))
        bench.clock.seconds = 10.0
        bench.deliver()
        lane = {"role": "commands", "lane": "interactive"}
        assert bench.sample(f"{SAMPLE}_sum", **lane) == 10.0
        assert bench.sample(f"{SAMPLE}_count", **lane) == 1
        assert bench.registry.get_sample_value(f"{SAMPLE}_count", {**lane, "lane": "bulk"}) == 0
