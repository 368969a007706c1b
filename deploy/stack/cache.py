"""Cache of the server programs: built once with Maven and Go, then kept in a directory.

An entry appears by one rename when it is complete, so an interrupted build leaves nothing that a later run could
mistake for a server. A file lock makes concurrent builders wait for the first one.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.stack.errors import StackError

KAFKA_VERSION: Final = "4.4.0"
KAFKA_SCALA_VERSION: Final = "2.13"
LOG4J_VERSION: Final = "2.25.5"  # as in Kafka 4.4.0; without its slf4j binding the broker logs nothing
COPY_JARS: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
MINIO_VERSION: Final = (
    "v0.0.0-20260212201848-7aac2a2c5b7c"  # the last upstream commit; later ones are not published
)
JAVA_MINIMUM_VERSION: Final = 17

KAFKA_BUILD_TIMEOUT_SECONDS: Final = 900  # 9 s measured; the rest is for a slow mirror
MINIO_BUILD_TIMEOUT_SECONDS: Final = 3600  # 3 min measured on two idle cores
LOG_TAIL_LINES: Final = 20

_CONTENTS_FILE: Final = "contents.json"

_POM: Final = f"""<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kascribe.stack</groupId>
  <artifactId>kafka-server</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_{KAFKA_SCALA_VERSION}</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Servers:
    """Programs of a stack: a JVM, the Kafka jars (`kafka/*.jar`) and the MinIO binary."""

    java: Path
    kafka_jars: Path
    minio: Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A cache entry: its folder name, the function that builds it into an empty folder, and the tool it needs."""

    name: str
    build: Callable[[Path], None]
    tool: str
    advice: str
    build_time: str


def default_cache() -> Path:
    """Return `KASCRIBE_CACHE`, or the user's cache directory."""
    if chosen := os.environ.get("KASCRIBE_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kascribe"


def missing_tools(cache: Path) -> list[str]:
    """Return the tools to install before `prepare` can succeed, each with advice."""
    java = [] if _java() else [f"java: a JDK {JAVA_MINIMUM_VERSION} or newer (Debian: default-jdk-headless)"]
    unbuilt = [entry for entry in _entries() if not _is_complete(cache / "servers" / entry.name)]
    return java + [f"{entry.tool}: {entry.advice}" for entry in unbuilt if shutil.which(entry.tool) is None]


def prepare(cache: Path, *, report: Report = print) -> Servers:
    """Return the server programs; build those that the cache lacks. Blocks for minutes the first time.

    Safe to call from several processes at once. Raises StackError when a tool is missing or a build fails.
    """
    if missing := missing_tools(cache):
        raise StackError("the local stack needs, on PATH: " + "; ".join(missing))
    java = _checked_java()
    kafka, minio = (entry_directory(cache / "servers", entry, report) for entry in _entries())
    return Servers(java=java, kafka_jars=kafka / "jars", minio=minio / "minio")


def _entries() -> tuple[Entry, Entry]:
    return (
        Entry(
            f"kafka-{KAFKA_VERSION}",
            _build_kafka,
            "mvn",
            "Maven 3.8 or newer, which fetches Kafka (Debian: maven)",
            "about ten seconds",
        ),
        Entry(
            f"minio-{MINIO_VERSION}",
            _build_minio,
            "go",
            "Go 1.24 or newer, which compiles MinIO (Debian: golang-go)",
            "about three minutes on two idle cores",
        ),
    )


def _java() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    return Path(found) if found else None


def _checked_java() -> Path:
    java = _java()
    if java is None:
        raise StackError(f"java is not on PATH: install a JDK {JAVA_MINIMUM_VERSION} or newer")
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    version = re.search(r'version "(\d+)', shown)
    if version is None or int(version[1]) < JAVA_MINIMUM_VERSION:
        raise StackError(
            f"{java} is too old for Kafka {KAFKA_VERSION}: it needs Java {JAVA_MINIMUM_VERSION} or newer"
        )
    return java


def entry_directory(servers: Path, entry: Entry, report: Report) -> Path:
    """Return the folder of an entry; build it first if it is not there, and block. Raises StackError."""
    place = servers / entry.name
    if _is_complete(place):
        return place
    servers.mkdir(parents=True, exist_ok=True)
    lock = servers / f".{entry.name}.lock"
    with locked(lock, on_wait=lambda: report(f"waiting for another build of {entry.name}")):
        if not _is_complete(place):
            _build_into(place, entry, report)
    return place


def _build_into(place: Path, entry: Entry, report: Report) -> None:
    prefix = f".{entry.name}.building-"
    for leftover in [*place.parent.glob(f"{prefix}*"), *place.parent.glob(entry.name)]:
        shutil.rmtree(
            leftover
        )  # interrupted or damaged; this process holds the lock, so no other one is building it
    report(f"building {entry.name} with {entry.tool} (only once: {entry.build_time})")
    building = Path(tempfile.mkdtemp(prefix=prefix, dir=place.parent))
    try:
        entry.build(building)
        (building / _CONTENTS_FILE).write_text(json.dumps(_sizes(building)), encoding="utf-8")
        building.rename(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _is_complete(place: Path) -> bool:
    try:
        recorded = json.loads((place / _CONTENTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(recorded) and recorded == _sizes(place)


def _sizes(place: Path) -> dict[str, int]:
    files = (path for path in place.rglob("*") if path.is_file() and path.name != _CONTENTS_FILE)
    return {str(path.relative_to(place)): path.stat().st_size for path in files}


def _build_kafka(building: Path) -> None:
    pom = building / "pom.xml"
    pom.write_text(_POM, encoding="utf-8")
    command = ["mvn", "-q", "-B", "--strict-checksums", "-f", str(pom), COPY_JARS, "-DincludeScope=runtime"]
    run_tool([*command, f"-DoutputDirectory={building / 'jars'}"], {}, KAFKA_BUILD_TIMEOUT_SECONDS)
    jar = building / "jars" / f"kafka_{KAFKA_SCALA_VERSION}-{KAFKA_VERSION}.jar"
    if not jar.is_file():
        raise StackError(f"Maven reported success but did not deliver {jar.name}")


def _build_minio(building: Path) -> None:
    module = f"github.com/minio/minio@{MINIO_VERSION}"
    settings = {"GOBIN": str(building), "CGO_ENABLED": "0"}
    run_tool(["go", "install", "-trimpath", "-ldflags", "-s -w", module], settings, MINIO_BUILD_TIMEOUT_SECONDS)
    if not os.access(building / "minio", os.X_OK):
        raise StackError("go install reported success but did not deliver the minio program")


def run_tool(command: list[str], settings: Mapping[str, str], timeout_seconds: float) -> None:
    """Run a program to its end, with additional environment. Raises StackError with the end of its output."""
    environment = {**os.environ, **settings}
    try:
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        tail = "\n".join(str(error.output).splitlines()[-LOG_TAIL_LINES:])
        raise StackError(f"{command[0]} failed, exit status {error.returncode}:\n{tail}") from error
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{command[0]} did not finish within {timeout_seconds:.0f} s; run it again") from error


@contextmanager
def locked(path: Path, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock between processes; call `on_wait` once if another process holds it. Not reentrant."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
