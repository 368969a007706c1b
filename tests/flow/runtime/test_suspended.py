"""Processes that are suspended beyond the session timeout, and come back or not: none of them has ended."""

import os
import signal
from contextlib import ExitStack
from typing import Final

from consumers.runtime.execution.holder import is_alive, new_holder, visible
from consumers.runtime.offsets.commit_metadata import CommitMetadata
from consumers.runtime.offsets.journal import HOLDER_CHARACTERS
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import committed, create_topics, running, send, settings_for, victim
from tests.flow.stages import OUTPUT, TOPIC, CommandStage
from tests.support.waiting import eventually

SUSPENDED: Final = 3


def _holder(broker: MockCluster) -> str:
    """Return the holder of the only partition from its commit; empty before the first commit."""
    ((_, metadata),) = committed(broker.bootstrap_servers)
    return CommitMetadata.read(metadata).journal[1 : 1 + HOLDER_CHARACTERS]


def test_a_record_whose_holders_were_suspended_is_not_given_up(broker: MockCluster) -> None:
    """Three in a row, while it ran: the group treats them as dead, and the fourth completes it."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["hold"])
    holders = [""]
    with ExitStack() as suspended:
        for _ in range(SUSPENDED):
            process = suspended.enter_context(victim(broker.bootstrap_servers, "killer_attempts=3"))
            eventually(lambda: _holder(broker) not in holders, timeout_seconds=60, what="the next holder's commit")
            holders.append(_holder(broker))
            os.kill(process.pid, signal.SIGSTOP)
        stage = CommandStage()
        stage.release.set()
        with running(stage, settings_for(broker.bootstrap_servers, killer_attempts=3)) as started:
            (output,) = records_on(broker.bootstrap_servers, OUTPUT, count=1, timeout_seconds=60)
            started.stop()
            assert started.sample("kascribe_dead_letters_total", reason="killer_record") == 0
            assert started.sample("kascribe_unclean_takeovers_total", topic=TOPIC) == 0
    assert output.value == b"hold"


def test_a_holder_is_seen_while_its_process_lives() -> None:
    """Suspended or not; and not any more once it has ended."""
    holder = new_holder()
    with visible(holder):
        assert is_alive(holder)
    assert not is_alive(holder)
