"""`python -m deploy.images`: what it reads from a registry, what it writes, and what it says when it cannot."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.images.__main__ import DEPLOY, PATTERNS, main
from deploy.images.references import images
from tests.contract.installation.images.registry_double import RegistryDouble

COMPOSE = """services:
  kafka:
    image: ${KAFKA_IMAGE:-apache/kafka:4.4.0}  # not pinned: the comment shows that the line is left alone
  broker:
    image: ${KAFKA_IMAGE:-apache/kafka:4.4.0}
  own:
    image: kascribe-minio
  other:
    image: registry.example:5000/tools/probe:1.2
"""
DOCKERFILE = """# syntax=docker/dockerfile:1
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE} AS tools
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with a compose file and a Dockerfile, for a user who is not logged in anywhere."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    made = tmp_path / "deploy"
    made.mkdir()
    (made / "compose.yaml").write_text(COMPOSE)
    (made / "Dockerfile").write_text(DOCKERFILE)
    return made


@pytest.fixture
def registry() -> Iterator[RegistryDouble]:
    """Run a registry that stands for Docker Hub."""
    with RegistryDouble().running() as double:
        yield double


def run(
    directory: Path, registry: RegistryDouble, command: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, dict[str, str | None]]]:
    """Run a command on the folder, with the registry in place of all others; return its code and rows by image."""
    mirrors = [
        part for name in ("hub", "registry.example:5000") for part in ("--mirror", f"{name}={registry.url}")
    ]
    code = main([command, "--json", "--directory", str(directory), *([] if command == "list" else mirrors)])
    rows = map(json.loads, capsys.readouterr().out.splitlines())
    return code, {row["image"]: row for row in rows}


def test_digests_are_written_beside_the_tags(
    directory: Path, registry: RegistryDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everywhere an image is named, Docker Hub's short names included; no other byte of a file changes."""
    kafka = registry.push("apache/kafka", "4.4.0", "one")
    python = registry.push("library/python", "3.11-slim-bookworm", "one")
    frontend = registry.push("docker/dockerfile", "1", "one")
    probe = registry.push("tools/probe", "1.2", "one")
    code, rows = run(directory, registry, "pin", capsys)
    assert (code, {row["state"] for row in rows.values()}) == (0, {"pinned"})
    expected = COMPOSE.replace("apache/kafka:4.4.0}\n", f"apache/kafka:4.4.0@{kafka}}}\n")
    expected = expected.replace("tools/probe:1.2", f"tools/probe:1.2@{probe}")
    assert (directory / "compose.yaml").read_text() == expected
    assert (directory / "Dockerfile").read_text() == DOCKERFILE.replace(
        "bookworm\n", f"bookworm@{python}\n"
    ).replace("dockerfile:1\n", f"dockerfile:1@{frontend}\n")
    assert run(directory, registry, "pin", capsys)[0] == 0
    assert (directory / "compose.yaml").read_text() == expected
    assert sorted(path.name for path in directory.iterdir()) == ["Dockerfile", "compose.yaml"]


def test_a_tag_that_moved_is_reported_and_pinned_anew(
    directory: Path, registry: RegistryDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` writes nothing and fails; `pin` takes the new digest."""
    (directory / "Dockerfile").unlink()
    (directory / "compose.yaml").write_text("services:\n  kafka:\n    image: apache/kafka:4.4.0\n")
    first = registry.push("apache/kafka", "4.4.0", "one")
    assert run(directory, registry, "pin", capsys)[0] == 0
    assert run(directory, registry, "check", capsys)[0] == 0
    second = registry.push("apache/kafka", "4.4.0", "two")
    code, rows = run(directory, registry, "check", capsys)
    assert (code, rows["apache/kafka:4.4.0"]["state"]) == (1, "moved")
    assert first in (directory / "compose.yaml").read_text()
    assert run(directory, registry, "pin", capsys)[0] == 0
    assert second in (directory / "compose.yaml").read_text()


def test_a_tag_without_a_known_digest_stays_and_is_named(
    directory: Path, registry: RegistryDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are pinned all the same, and the command fails."""
    registry.push("apache/kafka", "4.4.0", "one")
    code, rows = run(directory, registry, "pin", capsys)
    assert code == 1
    assert {name: row["state"] for name, row in rows.items()} == {
        "apache/kafka:4.4.0": "pinned",
        "docker/dockerfile:1": "unknown",
        "python:3.11-slim-bookworm": "unknown",
        "registry.example:5000/tools/probe:1.2": "unknown",
    }
    assert "has no such image" in str(rows["python:3.11-slim-bookworm"]["problem"])
    assert (directory / "Dockerfile").read_text() == DOCKERFILE


def test_a_registry_with_a_password_gives_tokens_to_those_who_are_logged_in(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The credentials of `docker login`; without them the message says so."""
    (directory / "Dockerfile").unlink()
    (directory / "compose.yaml").write_text(
        "services:\n  probe:\n    image: registry.example:5000/tools/probe:1.2\n"
    )
    with RegistryDouble(password="right").running() as private:
        digest = private.push("tools/probe", "1.2", "one")
        code, rows = run(directory, private, "check", capsys)
        assert code == 1
        assert "gives no token (401)" in str(rows["registry.example:5000/tools/probe:1.2"]["problem"])
        login = base64.b64encode(b"puller:right").decode()
        (directory.parent / "docker").mkdir()
        (directory.parent / "docker" / "config.json").write_text(
            json.dumps({"auths": {"registry.example:5000": {"auth": login}}})
        )
        assert run(directory, private, "pin", capsys)[0] == 0
    assert digest in (directory / "compose.yaml").read_text()


@pytest.mark.parametrize(
    ("trouble", "complaint"),
    [
        ({"stated_digest": "sha256:" + "0" * 64}, "pinned to neither"),
        ({"limit_seconds": 60}, "try again in 60 s"),
    ],
)
def test_a_registry_in_trouble_pins_nothing(
    directory: Path,
    registry: RegistryDouble,
    capsys: pytest.CaptureFixture[str],
    trouble: dict[str, object],
    complaint: str,
) -> None:
    """Another digest than that of the manifest, and a limit on requests: each with its reason."""
    registry.push("apache/kafka", "4.4.0", "one")
    for name, value in trouble.items():
        setattr(registry, name, value)
    code, rows = run(directory, registry, "pin", capsys)
    assert code == 1
    assert complaint in str(rows["apache/kafka:4.4.0"]["problem"])
    assert (directory / "compose.yaml").read_text() == COMPOSE


def test_a_registry_that_is_not_there_is_named(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing listens, or a server that is no registry answers: no stack trace."""
    arguments = ["check", "--directory", str(directory)]
    for registry in ("hub", "registry.example:5000"):
        arguments += ["--mirror", f"{registry}=http://127.0.0.1:9"]
    assert main(arguments) == 1
    assert "127.0.0.1:9 does not answer" in capsys.readouterr().out
    assert main(arguments[:3]) == 1
    assert "names no registry: give the address with --mirror hub=URL" in capsys.readouterr().out
    assert main([*arguments[:3], "--mirror", "hub"]) == 1
    assert "is not REGISTRY=URL" in capsys.readouterr().err


def test_the_repository_s_own_files_are_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every image that is not ours is found, in every file, and pinned once a registry knows it."""
    for path in {path for pattern in PATTERNS for path in DEPLOY.glob(pattern)}:
        (tmp_path / path.relative_to(DEPLOY)).parent.mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(DEPLOY))
    with RegistryDouble().running() as registry:
        for path in {path for pattern in PATTERNS for path in tmp_path.glob(pattern)}:
            for image in images(path.read_text()):
                registry.push(image.repository, image.tag, "one")
        code, rows = run(tmp_path, registry, "pin", capsys)
    assert code == 0
    assert {"apache/kafka:4.4.0", "python:3.11-slim-bookworm", "debian:bookworm-slim"} <= set(rows)
    for path in {path for pattern in PATTERNS for path in tmp_path.glob(pattern)}:
        for line in path.read_text().splitlines():
            if line.strip().startswith("image: ") or "_IMAGE=" in line or "_IMAGE: " in line:
                assert "@sha256:" in line or "image: kascribe-" in line, line
