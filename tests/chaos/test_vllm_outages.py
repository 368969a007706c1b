"""A slice of ``make chaos-vllm``, and a check that its table counts correctly."""

from dataclasses import replace
from typing import Final

from tests.chaos.counting import Row, outcomes
from tests.chaos.outage_system import Outage, system
from tests.chaos.vllm_outages import every_request, held
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import running_object_store

RECORDS: Final = 4
QUIET: Final = Row(
    what="nothing",
    published=2,
    enriched=2,
    dead_letters=0,
    both=0,
    lost=0,
    doubled=0,
    repeated=0,
    in_flight_at_outage=1,
    paused_seconds=0.0,
    seconds=1.0,
)


def test_a_lost_record_is_counted_beside_one_that_came_out_twice() -> None:
    """Counts of lost and doubled records do not cancel each other out."""
    counts = outcomes({"a", "b"}, enriched=["a", "earlier"], dead=["a"])
    assert counts == {"published": 2, "enriched": 1, "dead_letters": 1, "both": 1, "lost": 1}


def test_a_row_is_bad_when_a_server_is_held_against_a_record() -> None:
    """Invalid answers may be refused; a server that is down may not cost a dead letter."""
    assert not QUIET.is_bad
    assert not replace(QUIET, repeated=1).is_bad
    refused = replace(QUIET, enriched=1, dead_letters=1)
    assert refused.is_bad
    assert not replace(refused, may_be_refused=True).is_bad
    assert all(row.is_bad for row in (replace(QUIET, lost=1), replace(QUIET, both=1), replace(QUIET, doubled=1)))


def test_an_outage_with_requests_in_flight_pauses_intake_and_loses_nothing() -> None:
    """Every record is enriched once, whatever was in flight as the server began to refuse."""
    with (
        running_object_store() as store,
        MockCluster() as broker,
        running(VllmDouble(context_tokens=4_096)) as double,
        system(broker, store, double.base_url, RECORDS) as one,
    ):
        quiet = one.run(held(double, Outage("nothing", lasts=False)))
        busy = one.run(every_request(double, Fault.BUSY))
    assert (quiet.enriched, quiet.paused_seconds, quiet.is_bad) == (RECORDS, 0.0, False)
    assert (busy.enriched, busy.dead_letters, busy.is_bad) == (RECORDS, 0, False)
    assert busy.in_flight_at_outage
    assert 0 < busy.paused_seconds < busy.seconds
