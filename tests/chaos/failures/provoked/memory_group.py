"""A control group with a limit of memory, as a container has: the kernel kills what exceeds it."""

from contextlib import suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")
UNLIMITED: Final = str(2**62)


class MemoryGroup:
    """A group below this process's own, of either version. Raises OSError where none can be made."""

    def __init__(self, name: str) -> None:
        parent, self._limit_name, self._usage_name = _parent()
        if self._limit_name == "memory.max":
            with suppress(OSError):  # it may be on already; otherwise the limit's file is missing below
                (parent / "cgroup.subtree_control").write_text("+memory")
        self.directory = parent / name
        self.directory.mkdir()
        if not (self.directory / self._limit_name).exists():
            self.directory.rmdir()
            raise FileNotFoundError(f"{parent} does not pass the memory controller on")

    def limit_to_use(self, *, room_bytes: int) -> None:
        """Limit the group's memory to what it uses now, and so much more."""
        usage = int((self.directory / self._usage_name).read_text())
        self._write(str(usage + room_bytes))

    def lift(self) -> None:
        """Remove the limit."""
        self._write("max" if self._limit_name == "memory.max" else UNLIMITED)

    def remove(self) -> None:
        """Remove the group, once its processes have ended."""
        with suppress(OSError):
            self.directory.rmdir()

    def _write(self, limit: str) -> None:
        (self.directory / self._limit_name).write_text(limit)


def cannot_limit_memory() -> str:
    """Return why this user cannot make a group; nothing if it can."""
    try:
        MemoryGroup("kascribe-check").remove()
    except OSError as error:
        return f"a control group for memory: {error}"
    return ""


def _parent() -> tuple[Path, str, str]:
    """Return the directory of this process's group, and the names of the files of limit and use."""
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return ROOT / "memory" / path.lstrip("/"), "memory.limit_in_bytes", "memory.usage_in_bytes"
    return ROOT / path.lstrip("/"), "memory.max", "memory.current"
