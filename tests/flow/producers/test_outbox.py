"""The outbox on a broker: what is confirmed, in which order, and what happens when it is not."""

from collections.abc import Iterator
from typing import Final

import pytest

from producers.outbox import AtLeastOnceOutbox
from schemas.kafka import dead_letters
from schemas.kafka.delivery import Batch, Commit, Delivery
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.support.waiting import eventually

PRODUCE: Final = 0
MSG_SIZE_TOO_LARGE: Final = 10
TOPIC_AUTHORIZATION_FAILED: Final = 29
OUT_OF_ORDER_SEQUENCE_NUMBER: Final = 45
PARTITION: Final = ("audio.references", 0)


@pytest.fixture
def outbox(broker: MockCluster) -> Iterator[AtLeastOnceOutbox]:
    """Open an outbox on the embedded broker, with short pauses."""
    broker.create_topic("audio.transcripts")
    outbox = AtLeastOnceOutbox(
        KafkaSettings(bootstrap_servers=broker.bootstrap_servers), batches_limit=100, retry_seconds=0.05
    )
    yield outbox
    outbox.close(timeout_seconds=30)


def _batch(offset: int, *values: bytes) -> Batch:
    outputs = tuple(OutgoingRecord("audio.transcripts", b"key", value, (("h", b"1"),)) for value in values)
    return Batch(outputs, {PARTITION: Commit(offset)})


def test_a_batch_settles_once_its_outputs_can_be_read(outbox: AtLeastOnceOutbox, broker: MockCluster) -> None:
    """The commits of a batch are confirmed when the broker has its outputs: key, value and headers as given."""
    settled: list[Delivery] = []
    batch = _batch(7, b"one", b"two")
    assert outbox.submit(batch, settled.append)
    eventually(lambda: settled, timeout_seconds=30)
    assert settled == [Delivery(batch, committed=False)]
    read = records_on(broker.bootstrap_servers, "audio.transcripts", count=2)
    assert [(r.key, r.value, r.headers) for r in read] == [
        (b"key", b"one", (("h", b"1"),)),
        (b"key", b"two", (("h", b"1"),)),
    ]


def test_batches_settle_in_the_order_of_their_submission(outbox: AtLeastOnceOutbox) -> None:
    """A commit never overtakes another, whether or not its batch has outputs."""
    settled: list[Delivery] = []
    for offset in range(100):
        assert outbox.submit(_batch(offset, *([b"value"] * (offset % 3))), settled.append)
    eventually(lambda: len(settled) == 100, timeout_seconds=30)
    assert [delivery.batch.commits[PARTITION].offset for delivery in settled] == list(range(100))


def test_a_failed_delivery_keeps_its_batch_until_it_succeeds(
    outbox: AtLeastOnceOutbox, broker: MockCluster
) -> None:
    """An error of the broker is reported as a problem and retried; nothing behind it settles before."""
    settled: list[Delivery] = []
    broker.fail_next(PRODUCE, *([TOPIC_AUTHORIZATION_FAILED] * 3))
    outbox.submit(_batch(1, b"first"), settled.append)
    outbox.submit(_batch(2), settled.append)
    eventually(lambda: outbox.problem, timeout_seconds=30)
    assert not settled
    eventually(lambda: len(settled) == 2, timeout_seconds=30)
    assert [delivery.batch.commits[PARTITION].offset for delivery in settled] == [1, 2]
    assert outbox.problem is None
    assert [r.value for r in records_on(broker.bootstrap_servers, "audio.transcripts", count=1)] == [b"first"]


def test_an_output_that_is_refused_for_its_size_becomes_a_dead_letter(
    outbox: AtLeastOnceOutbox, broker: MockCluster
) -> None:
    """A record that can never be delivered delays no other: its dead letter names its size, the batch settles."""
    broker.create_topic("audio.transcripts.dlq")
    settled: list[Delivery] = []
    broker.fail_next(PRODUCE, MSG_SIZE_TOO_LARGE, MSG_SIZE_TOO_LARGE)
    outbox.submit(_batch(1, b"enormous"), settled.append)
    outbox.submit(_batch(2, b"small"), settled.append)
    eventually(lambda: len(settled) == 2, timeout_seconds=30)
    (letter,) = records_on(broker.bootstrap_servers, "audio.transcripts.dlq", count=1)
    assert letter.value is None
    assert letter.header(dead_letters.REASON) == b"output_too_large"
    assert letter.header(dead_letters.VALUE_SIZE_BYTES) == b"8"
    assert letter.header("h") == b"1"


def test_records_refused_together_are_retried_alone_first(outbox: AtLeastOnceOutbox, broker: MockCluster) -> None:
    """One refusal may be meant for the whole request, so both records get through the second time."""
    settled: list[Delivery] = []
    broker.fail_next(PRODUCE, MSG_SIZE_TOO_LARGE)
    outbox.submit(_batch(1, b"one", b"two"), settled.append)
    eventually(lambda: settled, timeout_seconds=30)
    read = records_on(broker.bootstrap_servers, "audio.transcripts", count=2)
    assert sorted(r.value or b"" for r in read) == [b"one", b"two"]


def test_what_the_client_finds_too_large_is_replaced_too(outbox: AtLeastOnceOutbox, broker: MockCluster) -> None:
    """Five megabytes never reach the broker; their dead letter does."""
    broker.create_topic("audio.transcripts.dlq")
    settled: list[Delivery] = []
    outbox.submit(_batch(1, b"x" * 5_000_000), settled.append)
    eventually(lambda: settled, timeout_seconds=30)
    (letter,) = records_on(broker.bootstrap_servers, "audio.transcripts.dlq", count=1)
    assert letter.header(dead_letters.VALUE_SIZE_BYTES) == b"5000000"


def test_a_full_outbox_refuses_without_blocking(broker: MockCluster) -> None:
    """The bound slows intake down while the broker is away; nothing that was accepted is lost."""
    broker.create_topic("audio.transcripts")
    outbox = AtLeastOnceOutbox(KafkaSettings(bootstrap_servers=broker.bootstrap_servers), batches_limit=2)
    settled: list[Delivery] = []
    broker.stop_broker()
    taken = [outbox.submit(_batch(offset, b"value"), settled.append) for offset in range(3)]
    assert taken == [True, True, False]
    broker.start_broker()
    eventually(lambda: len(settled) == 2, timeout_seconds=30)
    assert outbox.close(timeout_seconds=30)


def test_close_settles_what_was_submitted_before_it(broker: MockCluster) -> None:
    """However slow the broker is within the time: what was accepted is delivered, and its owner is called back."""
    broker.create_topic("audio.transcripts")
    outbox = AtLeastOnceOutbox(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
    settled: list[Delivery] = []
    broker.delay_answers(200)
    for offset in range(3):
        assert outbox.submit(_batch(offset, b"value"), settled.append)
    assert outbox.close(timeout_seconds=30)
    assert [delivery.batch.commits[PARTITION].offset for delivery in settled] == [0, 1, 2]


def test_close_gives_up_at_its_deadline_and_reports_it(broker: MockCluster) -> None:
    """With the broker away a batch stays unsettled, so its offsets stay uncommitted and the work is done again."""
    outbox = AtLeastOnceOutbox(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
    broker.stop_broker()
    settled: list[Delivery] = []
    outbox.submit(_batch(1, b"value"), settled.append)
    assert not outbox.close(timeout_seconds=0.3)
    assert not settled
    assert not outbox.submit(_batch(2), settled.append)
    outbox.report(OutgoingRecord("audio.progress", None, b"too late"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_outbox_that_died_reports_it(outbox: AtLeastOnceOutbox) -> None:
    """A defect of the client or of the outbox ends its thread; the process's health check reports that."""
    assert outbox.is_alive
    nonsense = OutgoingRecord("audio.transcripts", b"key", object())  # type: ignore[arg-type]
    outbox.submit(Batch((nonsense,)), lambda _: None)
    eventually(lambda: not outbox.is_alive, timeout_seconds=30)
    assert "the outbox died" in (outbox.problem or "")


def test_reports_go_out_beside_the_batches(outbox: AtLeastOnceOutbox, broker: MockCluster) -> None:
    """Progress needs no batch, and close() still sends it."""
    broker.create_topic("audio.progress")
    outbox.report(OutgoingRecord("audio.progress", b"job", b"half"))
    assert outbox.close(timeout_seconds=30)
    (record,) = records_on(broker.bootstrap_servers, "audio.progress", count=1)
    assert record.value == b"half"


def test_a_listener_that_raises_does_not_stop_the_batches_behind_it(outbox: AtLeastOnceOutbox) -> None:
    """The fault of one owner is logged; the next batch settles."""
    settled: list[Delivery] = []

    def fail(_: Delivery) -> None:
        raise RuntimeError("deliberate")

    outbox.submit(_batch(1), fail)
    outbox.submit(_batch(2), settled.append)
    eventually(lambda: settled, timeout_seconds=30)


def test_a_producer_that_breaks_for_good_is_replaced(outbox: AtLeastOnceOutbox, broker: MockCluster) -> None:
    """A fatal error of the client (a lost sequence) costs the producer, not the batch."""
    settled: list[Delivery] = []
    broker.fail_next(PRODUCE, OUT_OF_ORDER_SEQUENCE_NUMBER)
    outbox.submit(_batch(1, b"one"), settled.append)
    eventually(lambda: settled, timeout_seconds=30)
    outbox.submit(_batch(2, b"two"), settled.append)
    eventually(lambda: len(settled) == 2, timeout_seconds=30)
    assert outbox.problem is None
