"""The processes of one server: the started one and its workers, which belong to its session.

A worker outlives a killed parent, so the whole session is ended. A process belongs to the server if it is in that
session and its standard output is the server's log, so a reused process id never matches. The environment cannot
identify it: vLLM's workers write their titles over it.
"""

from pathlib import Path

from deploy.stack.processes import STAT_SESSION_FIELD, STAT_START_FIELD, Process, stat_fields


def session_members(leader: Process, log: Path) -> list[Process]:
    """Return the live processes of the leader's session that write to ``log``, including the leader if alive."""
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
