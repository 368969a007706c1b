"""The network calls of a process and its children, recorded by strace."""

import re
import shutil
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from tests.support.listening import missing

TRACED: Final = "connect,sendto,sendmsg,sendmmsg"
_CALL: Final = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(")
_INTERNET: Final = re.compile(
    r"\{sa_family=AF_INET6?,.*?sin6?_port=htons\((?P<port>\d+)\).*?"
    r'(?:inet_addr\("(?P<four>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<six>[^"]+)")'
)
_FAMILY: Final = re.compile(r"sa_family=(AF_[A-Z0-9]+)")
LOCAL_FAMILIES: Final = frozenset({"AF_UNIX", "AF_NETLINK", "AF_UNSPEC"})
"""Of this machine: the name service's cache, the kernel's list of interfaces, and no address."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address that a process connected to or sent to."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether it is of this machine."""
        return ip_address(self.host).is_loopback


def launcher(record: Path) -> tuple[str, ...]:
    """Return the command that stands before a program, and records its calls and those of its children.

    The program keeps the process id that was started (-D), so signals reach it and not strace.
    """
    strace = shutil.which("strace") or missing("strace is not installed: apt-get install strace")
    return (
        strace,
        "-D",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "signal=none",
        "-e",
        f"trace={TRACED}",
        "-o",
        str(record),
    )


def addresses(record: Path) -> set[Address]:
    """Return the internet addresses in a record. Raises AssertionError for a family that is not known here."""
    found = set()
    for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
        call = _CALL.search(line)
        if call is None:
            continue
        match = _INTERNET.search(line, call.end())
        if match is not None:
            found.add(Address(match["four"] or match["six"], int(match["port"])))
        families = set(_FAMILY.findall(line)) - LOCAL_FAMILIES - {"AF_INET", "AF_INET6"}
        assert not families, line
        assert match is not None or not re.search(r"AF_INET6?\b", line), line
    return found
