"""Interactive records, while bulk work is in the way."""

from schemas.options import Lane
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import committed, create_topics, running, send, settings_for
from tests.flow.stages import OUTPUT, CommandStage
from tests.support.waiting import eventually
from tests.unit.runtime.runtime_bench import reference_value


def test_an_interactive_record_does_not_wait_until_bulk_leaves_room(broker: MockCluster) -> None:
    """Bulk holds every place, and its partition is paused; another partition's interactive record runs at once.

    Only the reference's own field marks it as interactive.
    """
    create_topics(broker, partitions=2)
    send(broker.bootstrap_servers, [f"hold-{n}" for n in range(20)])
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers, in_flight_records=4)) as started:
        eventually(lambda: started.sample("kascribe_partitions_paused") == 1, timeout_seconds=20)
        assert stage.running == 4
        urgent = reference_value(Lane.INTERACTIVE)
        send(broker.bootstrap_servers, [urgent.decode()], first_partition=1)
        assert [record.value for record in records_on(broker.bootstrap_servers, OUTPUT, count=1)] == [urgent]
        assert stage.running == 4
        stage.release.set()
        eventually(lambda: committed(broker.bootstrap_servers)[0][0] == 20, timeout_seconds=30)
        started.stop()
