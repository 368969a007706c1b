"""The locks, as an index and an installer see them: what they pin is there, installs, and loads."""

from typing import Final

import pytest

from deploy.bundle.errors import BundleError
from deploy.bundle.locks import LOAD, load_installed, unknown_hashes
from deploy.bundle.selection import CUDA_LOCK, LOCK, ROOT
from deploy.bundle.target import PYTHONS, Target
from tests.support.listening import missing

OURS: Final = ("consumers", "kascribe", "models", "producers", "schemas")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", [LOCK, CUDA_LOCK])
def test_an_index_lists_the_files_of_a_lock_and_some_suit_rhel_8(lock: str, python: str) -> None:
    """For glibc 2.28, from wheels alone; nothing is downloaded, cuBLAS's 600 MB neither."""
    try:
        assert unknown_hashes((ROOT / lock).read_text(encoding="utf-8"), Target(python)) == []
    except BundleError as error:
        missing(str(error))


def test_a_digest_that_no_index_lists_is_found() -> None:
    """A lock that was edited, or files that were exchanged on the index, are not overlooked."""
    text = (ROOT / CUDA_LOCK).read_text(encoding="utf-8")
    first = text.index("sha256:") + len("sha256:")
    try:
        assert unknown_hashes(f"{text[:first]}{'0' * 64}{text[first + 64 :]}", Target("3.11")) == [
            "nvidia-cublas-cu12"
        ]
    except BundleError as error:
        missing(str(error))


def test_the_lock_installs_and_all_that_we_require_can_be_imported() -> None:
    """In a fresh environment, from the lock alone: every package of ours, and each that we require."""
    try:
        loaded = dict.fromkeys(load_installed(ROOT / LOCK, LOAD, with_kascribe=True))
    except BundleError as error:
        if "cannot be installed" in str(error):
            missing(str(error))
        raise
    assert [f"kascribe {package}" for package in OURS] == [each for each in loaded if each.startswith("kascribe ")]
    for each in (
        "confluent-kafka confluent_kafka",
        "av av",
        "ctranslate2 ctranslate2",
        "psycopg psycopg",
        "mcp mcp",
    ):
        assert each in loaded
