"""A bundle of what a transcriber needs, built from the lock, installed and used without a network."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from packaging.utils import canonicalize_name

from deploy.bundle.__main__ import build
from deploy.bundle.check import without_network
from deploy.bundle.errors import BundleError
from deploy.bundle.selection import Selection
from deploy.bundle.wheels import sha256_of
from deploy.sbom.document import validate
from deploy.stack.cache import default_cache
from tests.contract.installation.namespaces import offline_command
from tests.contract.installation.offline.small_bundle import PYTHON
from tests.support.listening import missing

SELECTION: Final = Selection("transcriber", pythons=(PYTHON,))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build and unpack the archive, with the self-test's weights as a model."""
    directory = tmp_path_factory.mktemp("bundle")
    try:
        archive = build(SELECTION, ["models/selftest/weights"], directory, wheels=default_cache() / "wheels")
    except BundleError as error:
        missing(str(error))
    subprocess.run(["tar", "--extract", "--file", archive.name], cwd=directory, check=True)
    return archive.with_suffix("")


def test_the_bundle_installs_and_passes_its_selftest_without_a_network(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Then the environment holds what the bill of materials lists, and nothing else."""
    offline_command(["true"])  # skips where there are no namespaces
    status = without_network(bundle, Path(sys.executable), tmp_path / "work")
    shown = capfd.readouterr().out
    assert (status, "kascribe selftest --no-pipeline" in shown) == (0, True), shown
    prefix = tmp_path / "work" / "kascribe"
    installed = {
        (canonicalize_name(path.stem.split("-")[0]), path.stem.split("-")[1])
        for path in (prefix / "venv" / "lib").glob("python*/site-packages/*.dist-info")
    }
    bill = json.loads((prefix / "current" / "sbom" / "kascribe.cdx.json").read_text(encoding="utf-8"))
    listed = {(each["name"], each["version"]) for each in [*bill["components"], bill["metadata"]["component"]]}
    assert installed == listed
    assert (prefix / "models" / "weights" / "model.bin").is_file()


def test_the_bill_of_materials_of_a_bundle_is_valid_and_names_its_wheels(bundle: Path) -> None:
    """By CycloneDX's schema; each wheel of the bundle is listed with its digest, and everything is reachable."""
    text = (bundle / "sbom" / "kascribe.cdx.json").read_text(encoding="utf-8")
    validate(text)
    bill = json.loads(text)
    files = {
        reference["url"]: reference["hashes"][0]["content"]
        for component in bill["components"]
        for reference in component["externalReferences"]
    }
    wheels = {f"wheels/{path.name}": sha256_of(path) for path in (bundle / "wheels").glob("*.whl")}
    assert files == {name: digest for name, digest in wheels.items() if "/kascribe-" not in name}
    needs = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    waiting, reached = [bill["metadata"]["component"]["bom-ref"]], set()
    while waiting:
        reached.add(waiting.pop())
        waiting += [each for known in reached for each in needs.get(known, []) if each not in reached]
    assert reached == set(needs)


def test_every_wheel_suits_rhel_8(bundle: Path) -> None:
    """No file name asks for a later glibc, another architecture or another Python."""
    for path in (bundle / "wheels").glob("*.whl"):
        tags = path.stem.split("-")[-3:]
        assert re.search(rf"cp{PYTHON.replace('.', '')}|py3|abi3", "-".join(tags)), path.name
        minors = [int(minor) for minor in re.findall(r"manylinux_2_(\d+)_x86_64", tags[-1])]
        assert tags[-1] == "any" or "manylinux20" in tags[-1] or min(minors) <= 28, path.name
