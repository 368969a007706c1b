"""The processes of one server: the one that was started and its workers, which live in its session.

A worker outlives a killed parent, so all of a session is ended. A process is ours when it is in that session and
its standard output is the server's log; a number that was given to somebody else never matches. The environment
would be no such mark: vLLM's workers write their titles over it.
"""

from pathlib import Path

from deploy.stack.processes import Process

_SESSION_FIELD = 3  # of proc(5) stat, counted after the command's name
_START_FIELD = 19


def members(leader: Process, log: Path) -> list[Process]:
    """The live processes of the leader's session that write to ``log``, the leader included while it lives."""
    found = (_member(int(entry.name), leader, log) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process]


def _member(pid: int, leader: Process, log: Path) -> Process | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if int(fields[_SESSION_FIELD]) != leader.pid or not Path(f"/proc/{pid}/fd/1").samefile(log):
            return None
    except OSError:
        return None
    return Process(pid=pid, started_ticks=int(fields[_START_FIELD]), boot_id=leader.boot_id)
