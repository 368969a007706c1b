"""The cache of built servers, with small programs in the place of Maven and Go."""

import os
import threading
from pathlib import Path

import pytest

from deploy.stack.cache import KAFKA_VERSION, MINIO_VERSION, missing_tools, prepare
from deploy.stack.errors import StackError

JAVA = """#!/bin/sh
echo 'openjdk version "{version}" 2025-04-15' >&2
"""
# Each tool notes that it ran, then delivers what the real one delivers.
MAVEN = f"""#!/bin/sh
echo mvn >> "$RUNS"
for argument in "$@"; do case $argument in -DoutputDirectory=*) jars=${{argument#*=}};; esac; done
mkdir -p "$jars" && echo jar > "$jars/kafka_2.13-{KAFKA_VERSION}.jar"
"""
GO = """#!/bin/sh
echo go >> "$RUNS"
echo program > "$GOBIN/minio" && chmod +x "$GOBIN/minio"
"""
BROKEN_GO = "#!/bin/sh\necho half > $GOBIN/minio\necho 'no space left on device'\nexit 1\n"
BUILT = [f"kafka-{KAFKA_VERSION}", f"minio-{MINIO_VERSION}"]


class Tools:
    """A PATH of our own making, and which builds ran."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.runs = directory / "runs"

    def provide(self, name: str, script: str) -> None:
        """Put one tool on the PATH."""
        program = self.directory / name
        program.write_text(script)
        program.chmod(0o755)

    def builds(self) -> list[str]:
        """Return the builds that ran, in order."""
        return self.runs.read_text().split() if self.runs.exists() else []


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """All three tools, nothing else of ours on the PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    tools = Tools(directory)
    tools.provide("java", JAVA.format(version="17.0.15"))
    tools.provide("mvn", MAVEN)
    tools.provide("go", GO)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("RUNS", str(tools.runs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tools


def built(cache: Path) -> list[str]:
    """List the visible entries of the cache."""
    return sorted(path.name for path in (cache / "servers").iterdir() if not path.name.startswith("."))


def test_servers_are_built_once_and_then_reused(tmp_path: Path, tools: Tools) -> None:
    """The second call runs neither Maven nor Go, and needs neither."""
    servers = prepare(tmp_path / "cache")
    (tools.directory / "mvn").unlink()
    (tools.directory / "go").unlink()
    assert prepare(tmp_path / "cache") == servers
    assert tools.builds() == ["mvn", "go"]
    assert servers.minio.is_file()
    assert list(servers.kafka_jars.iterdir())


def test_a_build_that_fails_leaves_nothing_and_says_why(tmp_path: Path, tools: Tools) -> None:
    """What a failed build wrote is never taken for a server; the next call builds again."""
    tools.provide("go", BROKEN_GO)
    with pytest.raises(StackError, match="go failed, exit status 1:\nno space left on device"):
        prepare(tmp_path / "cache")
    assert built(tmp_path / "cache") == BUILT[:1]
    tools.provide("go", GO)
    prepare(tmp_path / "cache")
    assert built(tmp_path / "cache") == BUILT
    assert tools.builds() == ["mvn", "go"]


@pytest.mark.usefixtures("tools")
def test_a_build_that_was_cut_off_is_cleared_away(tmp_path: Path) -> None:
    """A folder left by a killed build is removed by the next one."""
    leftover = tmp_path / "cache" / "servers" / f".{BUILT[1]}.building-x"
    leftover.mkdir(parents=True)
    prepare(tmp_path / "cache")
    assert not leftover.exists()


def test_a_damaged_server_is_built_again(tmp_path: Path, tools: Tools) -> None:
    """A file that is missing or of another size than when it was built means a rebuild, not a strange failure."""
    servers = prepare(tmp_path / "cache")
    servers.minio.write_text("")
    prepare(tmp_path / "cache")
    assert servers.minio.read_text() == "program\n"
    assert tools.builds() == ["mvn", "go", "go"]


def test_concurrent_callers_build_once(tmp_path: Path, tools: Tools) -> None:
    """The second process waits for the build of the first one and uses it."""
    callers = [threading.Thread(target=prepare, args=[tmp_path / "cache"]) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert sorted(tools.builds()) == ["go", "mvn"]


@pytest.mark.usefixtures("tools")
def test_missing_tools_are_all_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message names everything that is missing, so users need not install one thing at a time."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [line.partition(":")[0] for line in missing_tools(tmp_path / "cache")] == ["java", "mvn", "go"]
    with pytest.raises(StackError, match=r"JDK 17 or newer.*Maven 3\.8 or newer.*Go 1\.24 or newer"):
        prepare(tmp_path / "cache")


def test_an_old_java_is_refused(tmp_path: Path, tools: Tools) -> None:
    """Kafka would fail with a class version error, which says nothing to most people."""
    tools.provide("java", JAVA.format(version="11.0.2"))
    with pytest.raises(StackError, match="is too old for Kafka"):
        prepare(tmp_path / "cache")
