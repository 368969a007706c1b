"""Worker processes that faults hit: killed, frozen, stopped, started again."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

STOP_SECONDS = 60.0


class Workers:
    """Processes of one consumer group, by slot. A slot keeps its instance id, as a pod of a stateful set does."""

    def __init__(self, servers: str, arguments: Sequence[str], *, log: Path) -> None:
        self._command = [sys.executable, "-m", "tests.flow.runtime.victim", servers, *arguments]
        self._log = log.open("ab")
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def slots(self) -> list[int]:
        """The slots whose process should run."""
        return sorted(self._processes)

    def start(self, slot: int) -> None:
        """Start a process."""
        command = [*self._command, f"group.instance.id=worker-{slot}"]
        self._processes[slot] = subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def revive(self) -> int:
        """Start processes again that have ended by themselves, as a supervisor does; return how many had."""
        ended = [slot for slot, process in self._processes.items() if process.poll() is not None]
        for slot in ended:
            self.start(slot)
        return len(ended)

    def kill(self, slot: int) -> None:
        """Kill a process and start its successor."""
        self._processes[slot].kill()
        self._processes[slot].wait()
        self.start(slot)

    def kill_all(self) -> None:
        """Kill all processes before the first successor starts."""
        for process in self._processes.values():
            process.kill()
        for slot, process in list(self._processes.items()):
            process.wait()
            self.start(slot)

    def restart(self, slot: int) -> None:
        """Let a process drain, and start its successor."""
        self.remove(slot)
        self.start(slot)

    def remove(self, slot: int) -> None:
        """Let a process drain and end."""
        process = self._processes.pop(slot)
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)

    def freeze(self, slot: int) -> None:
        """Suspend a process."""
        self._processes[slot].send_signal(signal.SIGSTOP)

    def thaw(self, slot: int) -> None:
        """Let a suspended process continue."""
        self._processes[slot].send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill every process."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self._processes.clear()
        self._log.close()
