"""Programs that health checks of the compose file call and no server of the tests has: built once, then kept."""

import re
import shutil
from pathlib import Path
from typing import Final

from deploy.stack import default_cache
from deploy.stack.cache import (
    COPY_JARS,
    KAFKA_BUILD_TIMEOUT_SECONDS,
    KAFKA_VERSION,
    Entry,
    entry_directory,
    run_tool,
)
from tests.support.health_checks import DEPLOY
from tests.support.listening import missing

BUILD_TIMEOUT_SECONDS: Final = 1200

_POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kascribe.stack</groupId>
  <artifactId>kafka-tools</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def mc() -> Path:
    """Return MinIO's client, of the version in MinIO's image."""
    found = re.search(r"^ARG MC_VERSION=(\S+)$", (DEPLOY / "minio" / "Dockerfile").read_text(), re.MULTILINE)
    assert found is not None
    module = f"github.com/minio/mc@{found[1]}"

    def build(building: Path) -> None:
        settings = {"GOBIN": str(building), "CGO_ENABLED": "0"}
        run_tool(["go", "install", "-trimpath", "-ldflags", "-s -w", module], settings, BUILD_TIMEOUT_SECONDS)

    return _kept(Entry(f"mc-{found[1]}", build, "go", "", "half a minute")) / "mc"


def kafka_tools() -> Path:
    """Return the folder with the jars of Kafka's tools, which are in Kafka's image beside the broker."""

    def build(building: Path) -> None:
        pom = building / "pom.xml"
        pom.write_text(_POM, encoding="utf-8")
        command = ["mvn", "-q", "-B", "--strict-checksums", "-f", str(pom), COPY_JARS, "-DincludeScope=runtime"]
        run_tool([*command, f"-DoutputDirectory={building / 'jars'}"], {}, KAFKA_BUILD_TIMEOUT_SECONDS)

    return _kept(Entry(f"kafka-tools-{KAFKA_VERSION}", build, "mvn", "", "ten seconds")) / "jars"


def _kept(entry: Entry) -> Path:
    if shutil.which(entry.tool) is None:
        missing(f"{entry.tool} is not on PATH, and builds {entry.name}")
    return entry_directory(default_cache() / "servers", entry, print)
