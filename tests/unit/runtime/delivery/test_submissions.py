"""The batches of a transactional outbox: what may be committed, what comes back, and what an uncertain end was."""

from producers.outbox.submissions import Submission, Submissions
from schemas.kafka.delivery import Batch, Commit, Delivery, Partition
from schemas.kafka.records import OutgoingRecord

ONE: Partition = ("in", 1)
TWO: Partition = ("in", 2)
OWNER = object()


def batch(name: str, partition: Partition = ONE, *, offset: int = 1, owner: object = OWNER) -> Submission:
    """Return a batch with one output, or with none where it has no name."""
    outputs = (OutgoingRecord("out", b"key", name.encode()),) if name else ()
    return Submission(Batch(outputs, {partition: Commit(offset)}, None, partition, owner), _ignore)


def _ignore(_: Delivery) -> None: ...


def _names(submissions: Submissions) -> list[str]:
    return [(each.outputs[0].value or b"").decode() for each in submissions.pop_released()]


def test_a_batch_that_would_commit_over_a_returned_one_is_returned_too() -> None:
    """Its commit covers the earlier outputs, which its owner has not taken back: a crash would lose them."""
    submissions = Submissions(batches_limit=10)
    first, second = batch("first"), batch("second", offset=2)
    for each in (first, second):
        assert submissions.add(each)
    deliveries = [submissions.returned(each) for each in submissions.pop_all()]
    assert submissions.add(batch("too early", offset=2))
    assert submissions.add(batch("of another partition", TWO))
    assert submissions.add(batch("of another owner", owner=object()))
    assert _names(submissions) == ["too early"]
    for delivery in deliveries:
        delivery.acknowledge()
    assert submissions.add(batch("still too early", offset=2))
    assert _names(submissions) == ["still too early"]


def test_a_batch_goes_once_all_returned_ones_are_taken_back() -> None:
    """Each acknowledgement counts for its own batch."""
    submissions = Submissions(batches_limit=10)
    submissions.add(first := batch("first"))
    (returned,) = submissions.pop_all()
    assert returned is first
    submissions.returned(first).acknowledge()
    submissions.add(batch("first again"))
    assert not submissions.pop_released()
    assert submissions.take(10)
    assert submissions.is_allowed()


def test_a_release_returns_what_is_of_the_partition_alone() -> None:
    """Also a batch without a commit; the others stay, in their order."""
    submissions = Submissions(batches_limit=10)
    bare = Submission(Batch((OutgoingRecord("out", b"k", b"bare"),), partition=ONE, owner=OWNER), _ignore)
    for each in (batch("one"), batch("two", TWO), bare):
        submissions.add(each)
    assert submissions.take(10)
    assert submissions.release([ONE], timeout_seconds=0)
    assert not submissions.is_allowed()
    assert _names(submissions) == ["one", "bare"]
    assert [each.batch.partition for each in submissions.current] == [TWO]
    assert submissions.is_allowed()


def test_a_commit_that_says_nothing_new_proves_no_transaction() -> None:
    """The last commit of a partition may equal the one before: the outputs beside it were aborted all the same."""
    submissions = Submissions(batches_limit=10)
    submissions.add(batch("", ONE, offset=5))
    submissions.add(batch("result", TWO, offset=8))
    submissions.take(10)
    assert not submissions.are_committed({ONE: Commit(5), TWO: Commit(7)})
    assert submissions.are_committed({ONE: Commit(5), TWO: Commit(8)})


def test_a_released_partition_has_no_say_in_an_uncertain_end() -> None:
    """Another owner may have committed since; where all are released, one that is found will do."""
    submissions = Submissions(batches_limit=10)
    submissions.add(batch("one", ONE, offset=5))
    submissions.add(batch("two", TWO, offset=8))
    submissions.take(10)
    submissions.release([ONE], timeout_seconds=0)
    assert submissions.are_committed({ONE: Commit(99), TWO: Commit(8)})
    submissions.release([TWO], timeout_seconds=0)
    assert submissions.are_committed({ONE: Commit(99), TWO: Commit(8)})
    assert not submissions.are_committed({ONE: Commit(99), TWO: Commit(98)})
