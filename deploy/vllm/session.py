"""The processes of one server: the one that was started and its workers, which live in its session.

A worker outlives a killed parent, so all of a session is ended. A process is ours when it is in that session
and carries the mark that we put into its environment; a number that was given to somebody else never matches.
"""

from pathlib import Path

from deploy.stack.processes import Process

MARK = "KASCRIBE_VLLM_SERVER"
_SESSION_FIELD = 3  # of proc(5) stat, counted after the command's name
_START_FIELD = 19


def members(leader: Process, mark: str) -> list[Process]:
    """The live processes of the leader's session that carry ``mark``, the leader included while it lives."""
    found = (_member(int(entry.name), leader, mark) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process]


def _member(pid: int, leader: Process, mark: str) -> Process | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if int(fields[_SESSION_FIELD]) != leader.pid:
            return None
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    if f"{MARK}={mark}".encode() not in environment:
        return None
    return Process(pid=pid, started_ticks=int(fields[_START_FIELD]), boot_id=leader.boot_id)
