"""The outbox: the only path by which outputs are published. Offsets are committed with them or after them."""

from producers.outbox.at_least_once import AtLeastOnceOutbox
from producers.outbox.transactional import TransactionalOutbox

__all__ = ["AtLeastOnceOutbox", "TransactionalOutbox"]
