"""The machine: a full disk, no descriptors, no memory."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from tests.chaos.failures.failure import Expected, Failure, Line, Sample, Setup
from tests.chaos.failures.provoked.memory_group import MemoryGroup, cannot_limit_memory
from tests.chaos.failures.scene import Scene
from tests.integration.stack import PrivateStack

DISK_BYTES: Final = 96 * 1024**2
ROOM_BYTES: Final = 2 * 1024**2


def cannot_mount() -> str:
    """Return why this user cannot make a mount namespace; nothing if it can."""
    made = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return "" if made.returncode == 0 else f"a mount namespace: {made.stderr.strip()}"


@contextmanager
def _on_small_disk(_stack: PrivateStack, directory: Path) -> Iterator[Setup]:
    """Give the role a scratch disk of its own, in memory, and fill it from outside."""
    scratch = directory / "scratch"
    scratch.mkdir()
    mounted = f'mount -t tmpfs -o size={DISK_BYTES} tmpfs "$TMPDIR" && exec "$@"'

    def filler(scene: Scene) -> Path:
        return Path(f"/proc/{scene.role.pid}/root{scratch}/filler")

    def fill(scene: Scene) -> None:
        with filler(scene).open("wb") as file, suppress(OSError):
            while True:
                file.write(bytes(2**20))
                file.flush()

    yield Setup(
        fill,
        lambda scene: filler(scene).unlink(),
        settings={"TMPDIR": str(scratch)},
        launcher=("unshare", "--mount", "sh", "-c", mounted, "sh"),
    )


@contextmanager
def _without_descriptors(_stack: PrivateStack, _directory: Path) -> Iterator[Setup]:
    """Lower the role's limit of open files to what it has open."""
    limits: list[tuple[int, int]] = []

    def begin(scene: Scene) -> None:
        limits.append(resource.prlimit(scene.role.pid, resource.RLIMIT_NOFILE))
        opened = {int(link.name) for link in Path(f"/proc/{scene.role.pid}/fd").iterdir()}
        lowest_free = next(number for number in count() if number not in opened)
        resource.prlimit(scene.role.pid, resource.RLIMIT_NOFILE, (lowest_free, limits[0][1]))

    def end(scene: Scene) -> None:
        resource.prlimit(scene.role.pid, resource.RLIMIT_NOFILE, limits[0])

    yield Setup(begin, end)


@contextmanager
def _with_limited_memory(_stack: PrivateStack, directory: Path) -> Iterator[Setup]:
    """Start the role in a control group, whose limit is then set to what it uses."""
    group = MemoryGroup(f"kascribe-{directory.parent.name}")
    entered = f'echo $$ > "{group.directory}/cgroup.procs" && exec "$@"'
    try:
        yield Setup(
            lambda _: group.limit_to_use(room_bytes=ROOM_BYTES),
            lambda _: group.lift(),
            launcher=("sh", "-c", entered, "sh"),
        )
    finally:
        group.remove()


ROWS: Final = (
    Failure(
        "full-disk",
        "full disk",
        "the scratch disk (96 MiB of tmpfs in a mount namespace of the role) is filled, then the jobs come; "
        "then it is emptied",
        _on_small_disk,
        Expected(
            ready="waiting for scratch",
            sample=Sample('kascribe_dependency_down{dependency="scratch"}'),
            line=Line("dependency is down", {"dependency": "scratch", "error": "full|no room"}),
            work="intake pauses; done once there is room, no attempt is counted",
        ),
        missing=cannot_mount,
    ),
    Failure(
        "no-descriptors",
        "no descriptors",
        "prlimit leaves the role no descriptor, then the jobs come; then the limit is as before",
        _without_descriptors,
        Expected(
            ready="waiting for descriptors",
            sample=Sample('kascribe_dependency_down{dependency="descriptors"}'),
            line=Line("dependency is down", {"dependency": "descriptors", "error": "too many open files"}),
            work="intake pauses; done once files can be opened, no attempt is counted",
        ),
    ),
    Failure(
        "memory-limit",
        "memory limit",
        "the limit of the role's control group is set to what it uses and 2 MiB, then the jobs come; a supervisor "
        "starts the role again once the limit is lifted",
        _with_limited_memory,
        Expected(
            ready="no answer",
            sample=None,
            line=None,
            live="no answer",
            exit_codes=(-9,),
            work="the kernel kills the process, which logs nothing; the next one logs that it ended, and does it",
        ),
        missing=cannot_limit_memory,
    ),
)
