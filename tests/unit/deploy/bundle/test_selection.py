"""What a bundle takes from the locks, for a Python that need not run here."""

import re
from pathlib import Path
from typing import Final

import pytest
from packaging.tags import Tag

from deploy.bundle.errors import BundleError
from deploy.bundle.lock import read_lock
from deploy.bundle.selection import CUDA_LOCK, EXTRAS, LOCK, ROOT, Selection, pins_of
from deploy.bundle.target import PYTHONS, Target
from tests.support.listening import missing

DIGEST: Final = "ab" * 32
LOCK_TEXT: Final = f"""# a comment
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{DIGEST}
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{DIGEST} \\
    --hash=sha256:{"cd" * 32}
    # via something
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{DIGEST}
"""


def test_markers_are_those_of_the_other_machine() -> None:
    """Each Python gets its own version, and no other system's packages."""
    versions = [{pin.name: pin.version for pin in read_lock(LOCK_TEXT, Target(each)).values()} for each in PYTHONS]
    assert versions == [{"numpy": "2.4.6"}, {"numpy": "2.5.5"}]
    assert len(read_lock(LOCK_TEXT, Target("3.12"))["numpy"].hashes) == 2


def test_a_package_without_a_hash_is_refused() -> None:
    """Nothing of unknown content gets into a bundle."""
    with pytest.raises(BundleError, match=r"no hashes for pip==26\.3: run make lock"):
        read_lock("pip==26.3\n", Target("3.11"))


def test_wheels_up_to_glibc_2_28_suit_and_later_ones_do_not() -> None:
    """All names that such platforms have had, since pip compares them by letter."""
    ranks = Target("3.11").ranks
    for platform in ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux2010", "manylinux1"):
        assert Tag("cp311", "cp311", f"{platform}_x86_64") in ranks
    assert Tag("cp38", "abi3", "manylinux_2_12_x86_64") in ranks
    assert Tag("py3", "none", "any") in ranks
    for other in ("manylinux_2_34_x86_64", "manylinux_2_28_aarch64", "musllinux_1_2_x86_64"):
        assert Tag("cp311", "cp311", other) not in ranks
    assert Tag("cp312", "cp312", "manylinux_2_28_x86_64") not in ranks


def test_newer_platforms_are_better() -> None:
    """Where a package has several wheels, the one for the newest system is taken."""
    ranks = Target("3.12").ranks
    newest, older = (Tag("cp312", "cp312", f"manylinux_2_{minor}_x86_64") for minor in (28, 17))
    assert ranks[newest] < ranks[older] < ranks[Tag("py3", "none", "any")]


def test_bundles_of_one_version_have_different_names() -> None:
    """The archive's name says what is in it."""
    assert Selection().name == "linux-x86_64"
    assert Selection("transcriber", cuda=True).name == "linux-x86_64-transcriber-cuda"


def test_every_extra_of_a_bundle_exists() -> None:
    """A role that is renamed in pyproject.toml is found here."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in {each for extras in EXTRAS.values() for each in extras} | {"cuda"}:
        assert re.search(rf"^{extra} = \[", text, re.MULTILINE), extra


@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_of_both_locks_has_a_wheel_for_rhel_8(python: str) -> None:
    """All roles and cuBLAS resolve for glibc 2.28, from wheels alone, at the versions of the locks."""
    selection = Selection("all", cuda=True, pythons=(python,))
    try:
        pins = {pin.name: pin for pin in pins_of(selection, Target(python))}
    except BundleError as error:
        missing(str(error))
    assert {"ctranslate2", "fastapi", "psycopg-binary", "nvidia-cublas-cu12"} <= set(pins)
    for lock in (LOCK, CUDA_LOCK):
        known = read_lock(Path(ROOT / lock).read_text(encoding="utf-8"), Target(python))
        assert all(pins[name] == pin for name, pin in known.items() if name in pins)
