"""The GPU machine made ready, on folders that look like it."""

import sys
from pathlib import Path

import pytest

from tests.gpu.bench.__main__ import supervise
from tests.gpu.bench.machine import CUBLAS_PARTS, cublas_folders, environment, keep_cache, link_cublas


def _with_cublas(place: Path, version: str) -> Path:
    folder = place / "nvidia" / f"cu{version}" / "lib"
    folder.mkdir(parents=True)
    for part in CUBLAS_PARTS:
        (folder / f"{part}.{version}").write_bytes(b"")
    return folder


def test_cublas_13_is_linked_by_the_name_of_12(tmp_path: Path) -> None:
    """CTranslate2 opens cuBLAS 12 by name; cuBLAS 13 opens its own part, so its folder is on the path too."""
    folder = _with_cublas(tmp_path / "packages", "13")
    links = tmp_path / "links"
    found = cublas_folders([tmp_path / "packages"])
    assert found == [folder]
    assert link_cublas(found, links) == [links, folder]
    assert [(links / f"{part}.12").resolve() for part in CUBLAS_PARTS] == [
        folder / f"{part}.13" for part in CUBLAS_PARTS
    ]
    assert link_cublas(found, links) == [links, folder]


def test_cublas_12_is_used_where_there_is_one(tmp_path: Path) -> None:
    """No link stands before the version that CTranslate2 was built for."""
    _with_cublas(tmp_path / "packages", "13")
    folder = _with_cublas(tmp_path / "others", "12")
    places = [tmp_path / "packages", tmp_path / "others"]
    assert link_cublas(cublas_folders(places), tmp_path / "links") == [folder]
    assert not (tmp_path / "links").exists()


def test_a_machine_without_cublas_gets_no_links(tmp_path: Path) -> None:
    """A CPU is measured without any."""
    assert link_cublas(cublas_folders([tmp_path]), tmp_path / "links") == []


def test_libraries_and_packages_are_on_the_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries come before those that the machine has on its path already."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/there")
    (site := tmp_path / "site").mkdir()
    variables = environment(tmp_path, site=site, library_folders=[tmp_path / "links"], cache=tmp_path / "cache")
    assert variables["LD_LIBRARY_PATH"] == f"{tmp_path / 'links'}:/there"
    assert variables["PYTHONPATH"].split(":")[0] == str(site)
    assert variables["CUDA_CACHE_PATH"] == str(tmp_path / "cache")


def test_an_empty_compilation_cache_is_not_kept(tmp_path: Path) -> None:
    """The results hold no archive of nothing."""
    (cache := tmp_path / "cache").mkdir()
    assert keep_cache(cache, tmp_path) == "nothing was compiled"
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_a_measurement_that_hangs_is_ended_at_the_limit() -> None:
    """A call of the engine cannot be interrupted, so its process is killed."""
    hanging = [sys.executable, "-c", "import signal; signal.pause()"]
    assert supervise(hanging, {}, timeout_seconds=0.2).startswith("was ended after")


def test_a_measurement_that_fails_says_so() -> None:
    """The table alone would look complete."""
    assert supervise([sys.executable, "-c", "raise SystemExit(3)"], {}, timeout_seconds=60) == "failed with 3"
    assert supervise([sys.executable, "-c", ""], {}, timeout_seconds=60) == "ended"
