"""A real PostgreSQL server on loopback, for the time of a test session."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psycopg

from tests.support.listening import missing
from tests.support.waiting import eventually

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
USER: Final = "kascribe"
_NAMES: Final = count()


@dataclass(slots=True)
class PostgresqlServer:
    """One server. Every URL of ``new_database`` is an empty database of its own."""

    programs: Path
    directory: Path
    port: int
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def new_database(self) -> str:
        """Create a database and return its URL, as KASCRIBE_ARCHIVE_URL takes it."""
        name = f"test_{os.getpid()}_{next(_NAMES)}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it on the same port and data, and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 100,
            **self.settings,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_as_ordinary_user(), self.programs / "postgres", "-D", self.directory / "data", *arguments],
                stdout=log,
                stderr=log,
                env=_environment(),
                cwd=self.directory,
            )
        eventually(self._answers, timeout_seconds=START_SECONDS, what="the PostgreSQL server answers")

    def stop(self) -> None:
        """Stop it at once, as an immediate shutdown; its clients lose their connections."""
        if self.process is None:
            return
        self.process.send_signal(3)  # SIGQUIT: immediate shutdown
        try:
            self.process.wait(STOP_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(STOP_SECONDS)
        self.process = None

    def _answers(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise AssertionError((self.directory / "log").read_text()[-2_000:])
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _address(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={USER} dbname={database}"


@contextmanager
def running_postgresql(**settings: str) -> Iterator[PostgresqlServer]:
    """Run a server in a temporary directory while the context lasts. Skips, or fails in CI, without programs.

    ``settings`` are the server's own. By default it does not wait for the disk: its clients are killed, it is not.
    """
    programs = _programs()
    if programs is None:
        missing("no PostgreSQL: initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin")
    directory = Path(tempfile.mkdtemp(prefix="kascribe-postgresql-", dir=_open_folder()))
    server = PostgresqlServer(programs, directory, _free_port(), {"fsync": "off", **settings})
    try:
        _prepare(programs, directory)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _prepare(programs: Path, directory: Path) -> None:
    user = _ordinary_user()
    if user:
        shutil.chown(directory, user.pw_uid, user.pw_gid)
    subprocess.run(
        [
            *_as_ordinary_user(),
            *(str(programs / "initdb"), "-D", str(directory / "data"), "-U", USER),
            *("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"),
        ],
        check=True,
        capture_output=True,
        env=_environment(),
        cwd=directory,
    )


def _programs() -> Path | None:
    """Find the folder of the server's programs: on PATH, else the newest of Debian's."""
    if (on_path := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(on_path).parent
    found = (path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").is_file())
    return max(found, key=lambda path: float(path.parent.name), default=None)


def _ordinary_user() -> pwd.struct_passwd | None:
    """Return the user to run as: the server refuses to run as root. None for ourselves."""
    if os.geteuid() != 0:
        return None
    known = {each.pw_name: each for each in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _as_ordinary_user() -> list[str]:
    user = _ordinary_user()
    if user is None:
        return []
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def _open_folder() -> str | None:
    """Return a folder that the other user may enter: a TMPDIR of root's may be closed to it."""
    return "/tmp" if os.geteuid() == 0 else None


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
