"""What goes wrong with the local server."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.stack.errors import StackError


class VllmUnavailable(Exception):
    """The local vLLM server cannot be installed or started; the message says why and what to do."""


@contextmanager
def said_of_vllm() -> Iterator[None]:
    """What the local stack's own tools report, as VllmUnavailable."""
    try:
        yield
    except StackError as failed:
        raise VllmUnavailable(str(failed)) from failed
