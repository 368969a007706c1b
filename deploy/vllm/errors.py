"""The error of the local server."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.stack.errors import StackError


class VllmUnavailable(Exception):
    """The local vLLM server cannot be installed or started; the message says why and what to do."""


@contextmanager
def as_vllm_unavailable() -> Iterator[None]:
    """Translate errors of the local stack's tools into VllmUnavailable."""
    try:
        yield
    except StackError as failed:
        raise VllmUnavailable(str(failed)) from failed
