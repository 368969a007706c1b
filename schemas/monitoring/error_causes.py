"""The system's word for why a connection failed, which the messages of HTTP clients leave out."""

import os
from typing import Final

CAUSES_LIMIT: Final = 12
"""Most causes of an error that are examined: a chain of causes may be circular."""


def cause_of(error: BaseException) -> str:
    """Return the system's word for why a connection failed, to be appended to a client's message.

    The client's own message names the address alone, also where its name does not resolve. Empty if it is there.
    """
    cause: BaseException | None = error
    reason = ""
    for _ in range(CAUSES_LIMIT):
        if cause is None:
            break
        if isinstance(cause, ConnectionError) and cause.errno:
            reason = os.strerror(cause.errno)  # asyncio's own text names the address instead
        elif isinstance(cause, OSError) and cause.strerror:
            reason = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return f": {reason}" if reason and reason not in str(error) else ""
