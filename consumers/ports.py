"""The interfaces that both roles need from other packages."""

from typing import Protocol

from schemas.kafka.records import Coordinates
from schemas.results import FailedRequest


class FailureStore(Protocol):
    """Store of failed requests. Methods block, are safe to repeat, and raise DependencyDown."""

    def claim_failure(self, failed: FailedRequest) -> FailedRequest:
        """Store a failure unless a copy of the request stored its own; return the stored one."""
        ...


class Owned(Protocol):
    """A stored result. It names the record that owns it: the first that stored a result under this identity."""

    @property
    def owner(self) -> Coordinates:
        """Where the owner was first read: its ``Job.origin``."""
        ...
