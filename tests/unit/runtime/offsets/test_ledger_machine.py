"""The ledger against an oracle: every schedule of reading, completing, committing, losing commits and crashing.

The oracle keeps the plain truth, as sets: which offsets exist, which were completed, what was committed. It
knows nothing of heaps, maps or bits.
"""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.ledger import PartitionLedger
from schemas.kafka.delivery import Commit

STEPS = 60
LOG_RECORDS_LIMIT = 2_000
SEEDS = st.integers(0, 2**32)
CHARACTERS_LIMIT = 120
"""So little room that the rules of admission matter within a few hundred records."""


class LedgerMachine(RuleBasedStateMachine):
    """One partition, its log, its broker, and one consumer after another."""

    def __init__(self) -> None:
        super().__init__()
        self.log: set[int] = set()
        self.end = 0
        self.broker: Commit | None = None
        self.durable: set[int] = set()
        self.completed: set[int] = set()
        self.assign()

    def assign(self) -> None:
        """Begin a new holder that knows only what is committed."""
        self.ledger = PartitionLedger(committed=self.broker, characters_limit=CHARACTERS_LIMIT)
        self.position = self.broker.offset if self.broker else min(self.log, default=0)
        self.in_flight: set[int] = set()
        self.here: set[int] = set()
        self.received = False

    @rule(
        records=st.one_of(st.integers(1, 40), st.just(400)),
        hole=st.one_of(st.integers(0, 2), st.integers(120, 2**33)),
    )
    def append(self, records: int, hole: int) -> None:
        """Append records, then a hole, as a transaction marker or compaction leaves it."""
        self.log.update(range(self.end, self.end + records))
        self.end += records + hole

    @precondition(lambda self: self.position < self.end)
    @rule(seed=SEEDS)
    def compact(self, seed: int) -> None:
        """Drop records that were not read yet, as the broker does; they are never received."""
        unread = [offset for offset in self.log if offset >= self.position]
        self.log.difference_update(random.Random(seed).sample(sorted(unread), len(unread) // 3))

    @precondition(lambda self: self.position < self.end)
    @rule(limit=st.one_of(st.integers(1, 20), st.just(400)))
    def poll(self, limit: int) -> None:
        """Receive records in the log's order, while the ledger allows it."""
        for offset in sorted(offset for offset in self.log if offset >= self.position)[:limit]:
            if not self.ledger.can_receive():
                assert self.in_flight
                return
            self.position = offset + 1
            self.received = True
            is_new = self.ledger.receive(offset)
            assert is_new == (offset not in self.durable), "a record was lost, or is done twice"
            if is_new:
                self.in_flight.add(offset)
            else:
                self.here.add(offset)

    @precondition(lambda self: self.in_flight or self.here)
    @rule(seed=SEEDS)
    def deliver_again(self, seed: int) -> None:
        """Receive a record twice while it or an older one is in flight."""
        again = [offset for offset in self.in_flight | self.here if offset >= self.ledger.watermark]
        if again:
            assert not self.ledger.receive(random.Random(seed).choice(sorted(again)))

    @precondition(lambda self: self.in_flight)
    @rule(share=st.sampled_from([0.05, 0.3, 0.5, 0.8, 1.0]), seed=SEEDS)
    def complete(self, share: float, seed: int) -> None:
        """Complete some of the records in flight, in any order, some of them twice."""
        done = random.Random(seed).sample(sorted(self.in_flight), max(1, int(len(self.in_flight) * share)))
        for offset in [*done, *done[:2]]:
            self.ledger.complete(offset)
        self.in_flight.difference_update(done)
        self.here.update(done)
        self.completed.update(done)

    @precondition(lambda self: self.received)
    @rule(confirmed=st.booleans())
    def commit(self, confirmed: bool) -> None:
        """Commit; the broker's confirmation may get lost on the way back."""
        commit = self.ledger.commit()
        if commit is None:
            return
        self.broker = commit
        known = _known(commit, self.log)
        forgotten = {offset for offset in self.durable if offset not in known and offset in self.log}
        assert not forgotten, "what was durably complete is forgotten"
        assert known <= self.durable | self.here, "an offset counts as complete that was not completed"
        self.durable = known
        assert known >= self.here & self.log, "something complete is missing from the commit"
        if confirmed:
            self.ledger.on_confirmed(commit)
            assert self.ledger.commit() is None

    @precondition(lambda self: self.received)
    @rule()
    def crash(self) -> None:
        """Lose the process or the partition, and with it what was not committed."""
        self.assign()

    @invariant()
    def agrees_with_the_oracle(self) -> None:
        """Compare: the watermark is the lowest offset in flight, else the position; the map has room."""
        assert self.ledger.oldest_incomplete == min(self.in_flight, default=None)
        if self.received:
            assert self.ledger.watermark == min(self.in_flight, default=self.position)
        commit = self.ledger.commit()
        assert commit is None or len(commit.metadata) <= CHARACTERS_LIMIT

    def teardown(self) -> None:
        """Complete everything that is still in the log, and check that it is committed."""
        for _ in range(len(self.log) + 1):
            self.poll(len(self.log))
            for offset in list(self.in_flight):
                self.ledger.complete(offset)
            self.here |= self.in_flight
            self.completed |= self.in_flight
            self.in_flight.clear()
            if not any(offset >= self.position for offset in self.log):
                break
        self.commit(confirmed=True)
        assert self.log <= self.completed
        if self.received:
            assert self.broker == Commit(self.position)


def _known(commit: Commit, log: set[int]) -> set[int]:
    """Return the offsets of the log that a successor will not run."""
    ranges = gap_map.decode(commit.offset, commit.metadata)
    beyond = {offset for offset in log if any(first <= offset < end for first, end in ranges)} if ranges else set()
    return {offset for offset in log if offset < commit.offset} | beyond


LedgerMachine.TestCase.settings = settings(stateful_step_count=STEPS, max_examples=100, deadline=None)
TestLedgerMachine = LedgerMachine.TestCase
