"""Locks pin what was reviewed: with hashes, without addresses, and for every extra."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
OURS: Final = ("requirements.lock", "requirements-cuda.lock")
LOCKS: Final = (
    *OURS,
    "deploy/helm/requirements.lock",
    "deploy/vllm/requirements.lock",
    "tests/clients/requirements.lock",
)


def pinned(lock: str) -> dict[str, list[str]]:
    """Read a lock: hashes by package and version."""
    text = re.sub(r"\s*\\\n\s*", " ", (ROOT / lock).read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return {line.split(" ", 1)[0]: re.findall(r"--hash=sha256:([0-9a-f]{64})\b", line) for line in lines}


def name_of(requirement: str) -> str:
    """Return the package's name, as locks write it."""
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_one_version_and_its_hashes(lock: str) -> None:
    """Nothing can be swapped under an installation."""
    packages = pinned(lock)
    assert packages
    assert [package for package in packages if not re.fullmatch(r"[a-z0-9.-]+==[^=\s]+", package)] == []
    assert [package for package, hashes in packages.items() if not hashes] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_address(lock: str) -> None:
    """Where packages come from is the installation's own decision: a mirror, or none of the public ones."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.findall(r"\w+://\S*|--(?:extra-)?index-url.*|--find-links.*", text) == []


def test_every_extra_is_in_a_lock_and_no_package_in_two() -> None:
    """A role's image and a GPU's environment install nothing that is in no lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {name_of(each) for group in project["optional-dependencies"].values() for each in group}
    required |= {name_of(each) for each in project["dependencies"]}
    every, gpu = ({name_of(package) for package in pinned(lock)} for lock in OURS)
    assert required - {"kascribe"} <= every | gpu
    assert every & gpu == set()


def test_the_image_is_built_with_every_lock() -> None:
    """The build sees the locks, and the transcriber's packages are constrained by both."""
    dockerfile = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    seen = (ROOT / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for lock in OURS:
        assert f"!{lock}" in seen
        assert f"--constraints {lock}" in dockerfile
        assert re.search(rf"^COPY .*\b{re.escape(lock)} ", dockerfile, re.MULTILINE)
