"""Records of one job that meet in one process: what the second does when the first does not finish the job."""

import threading
from collections.abc import Sequence

from consumers.once import Claims, Requester
from consumers.runtime.ports import CancelledByCaller, Job
from schemas.errors import TransientError
from schemas.events import Failure
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import dead_letter_topic
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import committed, create_topics, running, send, settings_for
from tests.flow.stages import OUTPUT, TOPIC
from tests.support.waiting import eventually


class OneJobStage:
    """A stage with one job for all records. The first to hold it waits for ``release``, then ends as told."""

    name = "commands"
    topics = (TOPIC,)
    retried_topics = (TOPIC,)

    def __init__(self, ending: str) -> None:
        self.release = threading.Event()
        self.joined: list[str] = []
        self.held: list[str] = []
        self._ending = ending
        self._claims = Claims()

    @property
    def services(self) -> tuple[str, ...]:
        """No services."""
        return ()

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Hold the job, or follow its holder."""
        value = (job.record.value or b"").decode()
        self.joined.append(value)
        with self._claims.claim("j", Requester(job.origin, job.cancelled, lambda: False)):
            self.held.append(value)
            first = self.held == [value]
            while first and not self.release.wait(0.01) and not job.cancelled():
                pass
        if first and self._ending == "cancelled":
            raise CancelledByCaller((OutgoingRecord(OUTPUT, None, b"cancelled"),))
        if first and self._ending == "retried":
            raise TransientError("the first attempt fails")
        return (OutgoingRecord(OUTPUT, None, value.encode()),)

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:  # noqa: ARG002 (it needs no detail)
        """Publish the failure to the output topic."""
        return (OutgoingRecord(OUTPUT, None, b"failed"),)

    def dependency_is_up(self, dependency: str) -> bool:
        """Return True: there is no dependency."""
        return bool(dependency)


def _outputs(broker: MockCluster, ending: str, *followers: str) -> list[bytes | None]:
    """Run a record that ends like this and those that join it, on two workers; return the outputs."""
    create_topics(broker)
    stage = OneJobStage(ending)
    with running(stage, settings_for(broker.bootstrap_servers, worker_threads=2)) as started:
        send(broker.bootstrap_servers, ["first"])
        eventually(lambda: stage.held == ["first"], timeout_seconds=30, what="the first record")
        send(broker.bootstrap_servers, list(followers))
        eventually(
            lambda: (
                started.sample("kascribe_records_settled_total", topic=TOPIC, outcome="joined") == len(followers)
            ),
            timeout_seconds=30,
        )
        assert committed(broker.bootstrap_servers)[0][0] <= 0
        assert stage.held == ["first"]
        stage.release.set()
        outputs = [
            record.value for record in records_on(broker.bootstrap_servers, OUTPUT, count=1 + len(followers))
        ]
        eventually(lambda: committed(broker.bootstrap_servers)[0][0] == 1 + len(followers), timeout_seconds=30)
        started.stop()
        cancelled = started.sample("kascribe_records_settled_total", topic=TOPIC, outcome="cancelled")
        assert cancelled == (ending == "cancelled")
    return outputs


def test_a_record_whose_leader_is_cancelled_does_the_job_itself(broker: MockCluster) -> None:
    """The cancellation is published and counted; the other caller has its answer."""
    assert _outputs(broker, "cancelled", "second") == [b"cancelled", b"second"]


def test_a_record_whose_leader_is_retried_does_the_job_itself(broker: MockCluster) -> None:
    """It does not wait for the retry topic; the leader comes back from there."""
    assert sorted(_outputs(broker, "retried", "second"), key=str) == [b"first", b"second"]


def test_records_that_follow_hold_no_worker(broker: MockCluster) -> None:
    """All of them join while the first runs, although there are only two workers."""
    followers = [f"follower-{number}" for number in range(6)]
    outputs = _outputs(broker, "completed", *followers)
    assert outputs[0] == b"first"
    assert sorted(outputs[1:], key=str) == [follower.encode() for follower in followers]


def test_a_process_that_ends_leaves_a_record_that_follows_to_its_successor(broker: MockCluster) -> None:
    """The second record was received and joined; it is not complete before its leader has ended."""
    create_topics(broker)
    stage = OneJobStage("completed")
    with running(stage, settings_for(broker.bootstrap_servers)) as started:
        send(broker.bootstrap_servers, ["first", "second"])
        eventually(lambda: sorted(stage.joined) == ["first", "second"], timeout_seconds=30)
        started.runtime.stop()
        started.runtime.stop()
        started.thread.join(30)
    successor = OneJobStage("completed")
    successor.release.set()
    with running(successor, settings_for(broker.bootstrap_servers)) as started:
        outputs = [record.value for record in records_on(broker.bootstrap_servers, OUTPUT, count=2)]
        eventually(lambda: committed(broker.bootstrap_servers)[0][0] == 2, timeout_seconds=30)
        started.stop()
    assert sorted(outputs, key=str) == [b"first", b"second"]
    assert records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=0) == []
