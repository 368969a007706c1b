"""The processes of one server: the one that was started and its workers, which live in its session.

A worker outlives a killed parent, so all of a session is ended. A process is ours when it is in that session and
its standard output is the server's log; a number that was given to somebody else never matches. The environment
would be no such mark: vLLM's workers write their titles over it.
"""

from pathlib import Path

from deploy.stack.processes import STAT_SESSION_FIELD, STAT_START_FIELD, Process, stat_fields


def members(leader: Process, log: Path) -> list[Process]:
    """The live processes of the leader's session that write to ``log``, the leader included while it lives."""
    found = (_member(int(entry.name), leader, log) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process]


def _member(pid: int, leader: Process, log: Path) -> Process | None:
    fields = stat_fields(pid)
    if fields is None or int(fields[STAT_SESSION_FIELD]) != leader.pid:
        return None
    try:
        if not Path(f"/proc/{pid}/fd/1").samefile(log):
            return None
    except OSError:
        return None
    return Process(pid=pid, started_ticks=int(fields[STAT_START_FIELD]), boot_id=leader.boot_id)
