"""A real Kafka and a real MinIO on loopback, as plain processes: no containers, nothing installed.

`python -m deploy.stack up` for people, `Stack.up(directory)` for tests.
"""

from deploy.stack.cache import default_cache, missing_tools, prepare
from deploy.stack.errors import StackError
from deploy.stack.kafka import DEFAULT_TOPICS, Topic
from deploy.stack.stack import ServerStatus, Stack

__all__ = [
    "DEFAULT_TOPICS",
    "ServerStatus",
    "Stack",
    "StackError",
    "Topic",
    "default_cache",
    "missing_tools",
    "prepare",
]
