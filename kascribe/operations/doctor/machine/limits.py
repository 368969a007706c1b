"""The limits of this process, which the roles get too when they start the same way: files, processes, memory."""

import os
import resource
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kascribe.capacity import store_connections, transcriber_limits
from kascribe.operations.doctor.findings import Finding, failed, ok, skipped, warning
from models.media.pool import decoder_processes
from schemas.roles import Role
from schemas.settings import Settings

OWN_FILES: Final = 128
"""Of any role, beside those that grow with its work: libraries, log, sockets of Kafka, health."""

FILES_PER_RECORD: Final = 3
"""The object, its features, and the connection that fetches it."""

FILES_PER_DECODER: Final = 4
"""Three pipes and a wait for the process."""

OWN_THREADS: Final = 64
"""Of any role: the Kafka client's, health, timers."""

THREADS_PER_DECODER: Final = 4

SPARE_MEMORY_BYTES: Final = 512 * 1024**2
"""For a role without a model: its interpreter and libraries take 200 MB, and records in flight the rest."""

DECODER_RESIDENT_BYTES: Final = 96 * 1024**2
"""One decoder at work (`make bench-memory`)."""

MEBIBYTE: Final = 1024**2
_CGROUP: Final = Path("/sys/fs/cgroup")


def check_limits(
    settings: Settings, roles: Sequence[str], *, device: str, weights_bytes: int | None
) -> Iterator[Finding]:
    """Yield rows for open files, processes, memory and shared memory. ``device`` is the transcriber's."""
    files = {role: needed_files(role, settings, device=device) for role in roles}
    yield _files(files)
    threads = {role: needed_threads(role, settings, device=device) for role in roles}
    yield _processes(threads)
    on_device = device != "cpu"
    memory = {role: needed_memory(role, settings, None if on_device else weights_bytes) for role in roles}
    yield _memory(memory)
    yield _shared_memory()


def needed_files(role: str, settings: Settings, *, device: str) -> int:
    """Return how many files and sockets a process of the role opens at most. Pure."""
    if role == Role.GATEWAY:
        gateway = settings.gateway
        return OWN_FILES + gateway.connection_limit + gateway.concurrent_upload_limit
    if role == Role.TRANSCRIBER:
        limits = transcriber_limits(settings.runtime, device=device)
        decoders = decoder_processes(settings.whisper)
        return OWN_FILES + FILES_PER_RECORD * store_connections(limits) + FILES_PER_DECODER * decoders
    if role == Role.ENRICHER:
        return OWN_FILES + settings.vllm.concurrency_limit + 2 * settings.runtime.worker_threads
    return OWN_FILES + 2 * settings.runtime.worker_threads


def needed_threads(role: str, settings: Settings, *, device: str) -> int:
    """Return how many threads and processes a process of the role starts at most. Pure."""
    if role == Role.TRANSCRIBER:
        limits = transcriber_limits(settings.runtime, device=device)
        decoders = decoder_processes(settings.whisper)
        return OWN_THREADS + store_connections(limits) + THREADS_PER_DECODER * decoders
    return OWN_THREADS + settings.runtime.worker_threads


def needed_memory(role: str, settings: Settings, weights_bytes: int | None) -> int:
    """Return the memory that a process of the role takes at least. ``weights_bytes``: of a model on the CPU."""
    if role != Role.TRANSCRIBER:
        return SPARE_MEMORY_BYTES
    # While they are loaded, weights are in memory twice: as they are on disk, and as they are computed with.
    decoders = decoder_processes(settings.whisper) * DECODER_RESIDENT_BYTES
    return SPARE_MEMORY_BYTES + decoders + 2 * (weights_bytes or 0)


def _files(needed: dict[str, int]) -> Finding:
    name = "open files"
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed == resource.RLIM_INFINITY:
        return ok(name, "unlimited")
    role, most = max(needed.items(), key=lambda each: each[1])
    found = f"{allowed:,} may be open; the {role} opens up to {most:,}"
    remedy = f"ulimit -n {most}, LimitNOFILE={most} in its unit, or ulimits in compose"
    if allowed >= most:
        return ok(name, found)
    # A gateway takes fewer connections then; a transcriber pauses.
    return failed(name, found, remedy) if allowed < min(needed.values()) else warning(name, found, remedy)


def _processes(needed: dict[str, int]) -> Finding:
    name = "processes"
    role, most = max(needed.items(), key=lambda each: each[1])
    limits = {"ulimit -u": resource.getrlimit(resource.RLIMIT_NPROC)[0], "pids.max": _number("pids.max")}
    known = {how: limit for how, limit in limits.items() if limit is not None and limit != resource.RLIM_INFINITY}
    if not known:
        return ok(name, "unlimited")
    how, least = min(known.items(), key=lambda each: each[1])
    found = f"{least:,} processes and threads ({how}); the {role} starts up to {most:,}"
    if least >= most:
        return ok(name, found)
    return failed(name, found, f"raise {how}: TasksMax={2 * most} in its unit, pids_limit in compose")


def _memory(needed: dict[str, int]) -> Finding:
    name = "memory"
    role, most = max(needed.items(), key=lambda each: each[1])
    limit, free = _number("memory.max"), _available_bytes()
    bounds = {"allowed by the cgroup": limit, "free": free}
    known = {what: size for what, size in bounds.items() if size is not None}
    if not known:
        return skipped(name, "cannot be told here")
    what, least = min(known.items(), key=lambda each: each[1])
    found = f"{least / MEBIBYTE:,.0f} MiB {what}; the {role} takes {most / MEBIBYTE:,.0f} MiB and more"
    if least >= most:
        return ok(name, found)
    remedy = "give it more memory (MemoryMax, mem_limit), fewer decoders, or a smaller model"
    return failed(name, found, remedy)


def _shared_memory() -> Finding:
    name = "shared memory"
    try:
        room = os.statvfs("/dev/shm")  # noqa: S108 - looked at, not written
    except OSError:
        return skipped(name, "there is no /dev/shm; no role needs it, vLLM does")
    return ok(name, f"{room.f_bavail * room.f_frsize / MEBIBYTE:,.0f} MiB; no role needs it, vLLM does")


def _number(name: str) -> int | None:
    """Return a limit of this process's cgroup, the lowest on the way up; None where there is none."""
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="ascii").strip().rpartition("::")[2]
    except OSError:
        return None
    found = []
    folder = _CGROUP / own.lstrip("/")
    while folder.is_relative_to(_CGROUP):
        try:
            text = (folder / name).read_text(encoding="ascii").strip()
        except OSError:
            text = "max"
        if text.isdigit():
            found.append(int(text))
        folder = folder.parent
    return min(found, default=None)


def _available_bytes() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return sizes[0] if sizes else None


def check_ports(settings: Settings, roles: Sequence[str]) -> Iterator[Finding]:
    """Yield whether the roles can listen where they have to."""
    addresses = {f"health {settings.server.port}": (settings.server.host, settings.server.port)}
    if Role.GATEWAY in roles:
        addresses["gateway port"] = (settings.gateway.host, settings.gateway.port)
        if len(roles) == 1:
            del addresses[f"health {settings.server.port}"]
    for name, (host, port) in addresses.items():
        yield _port(name if name.startswith("gateway") else "health port", host, port)


def _port(name: str, host: str, port: int) -> Finding:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        remedy = "fine if a role runs here already; else give each role on this machine its own port"
        return warning(name, f"{host}:{port} cannot be listened on: {error.strerror}", remedy)
    return ok(name, f"{host}:{port} is free")
