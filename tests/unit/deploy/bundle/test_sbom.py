"""The bill of materials, made of wheels that are built on the spot and of those that the bundle holds."""

import ctypes
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import av
import pytest

from deploy.bundle.contents import project
from deploy.bundle.errors import BundleError
from deploy.bundle.lock import Pin
from deploy.bundle.selection import Selection
from deploy.bundle.wheels import Wheel, sha256_of
from deploy.sbom.distribution import Distribution
from deploy.sbom.document import validate
from deploy.sbom.licences import LIBRARIES, licence_of
from deploy.sbom.vendored import vendored
from deploy.sbom.writing import NOTICES, write_sbom

SELECTION: Final = Selection("transcriber", pythons=("3.11",))
DATE: Final = 1_700_000_000


def wheel(folder: Path, name: str, *lines: str, licence: str = "License-Expression: MIT") -> Wheel:
    """Make a wheel with these lines of metadata, a licence's text and a shared library."""
    path = folder / f"{name.replace('-', '_')}-1.2-py3-none-any.whl"
    metadata = f"{path.name.split('-py3')[0]}.dist-info"
    with zipfile.ZipFile(path, "w") as content:
        head = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.2", licence, *lines]
        content.writestr(f"{metadata}/METADATA", "\n".join(head) + "\n\nText.\n")
        content.writestr(f"{metadata}/licenses/LICENSE", f"The licence of {name}")
        content.writestr(f"{name}.libs/libx264-d6533a8d.so.165", "")
    digest = sha256_of(path)
    return Wheel(Pin(name, "1.2", (digest,)), path, digest)


@pytest.fixture
def wheels(tmp_path: Path) -> Sequence[Wheel]:
    """Make three packages of which Kascribe needs one, and that one another with an extra."""
    return (
        wheel(tmp_path, "boto3", "Requires-Dist: botocore[crt]", "Requires-Dist: unused; extra == 'other'"),
        wheel(tmp_path, "botocore", "Requires-Dist: awscrt; extra == 'crt'"),
        wheel(tmp_path, "awscrt", licence="Classifier: License :: OSI Approved :: Apache Software License"),
    )


@pytest.fixture
def bill(wheels: Sequence[Wheel], tmp_path: Path) -> dict[str, Any]:
    """Write the document, and read it."""
    path, _ = write_sbom(tmp_path / "sbom", SELECTION, {"3.11": wheels}, DATE, name="kascribe")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_the_document_lists_each_package_with_licence_digest_and_needs(
    bill: dict[str, Any], wheels: Sequence[Wheel]
) -> None:
    """What a scanner needs: package URLs, SPDX licences, the digest of the file, the graph."""
    components = {each["name"]: each for each in bill["components"]}
    assert {name: each["licenses"][0]["license"]["id"] for name, each in components.items()} == {
        "awscrt": "Apache-2.0",
        "boto3": "MIT",
        "botocore": "MIT",
    }
    (file,) = components["boto3"]["externalReferences"]
    assert (file["url"], file["hashes"][0]["content"]) == ("wheels/boto3-1.2-py3-none-any.whl", wheels[0].sha256)
    needs = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert needs[f"kascribe@{project()['version']}"] == ["pkg:pypi/boto3@1.2"]
    assert needs["pkg:pypi/boto3@1.2"] == ["pkg:pypi/botocore@1.2"]
    assert needs["pkg:pypi/botocore@1.2"] == ["pkg:pypi/awscrt@1.2"]


def test_what_wheels_contain_of_others_is_listed(bill: dict[str, Any]) -> None:
    """Shared libraries within wheels, and the JavaScript of our own pages."""
    (library,) = bill["components"][0]["components"]
    assert (library["name"], library["version"]) == ("libx264", "165")
    assert library["licenses"] == [{"license": {"id": "GPL-2.0-or-later"}}]
    ours = {each["name"]: each["version"] for each in bill["metadata"]["component"]["components"]}
    assert ours == {each.name: each.version for each in vendored()}
    assert set(ours) == {"htm", "preact", "swagger-ui-dist"}


def test_the_same_materials_give_the_same_document(wheels: Sequence[Wheel], tmp_path: Path) -> None:
    """A difference between two documents is one between two installations."""
    texts = {
        write_sbom(tmp_path / name, SELECTION, {"3.11": wheels}, DATE, name="kascribe")[0].read_bytes()
        for name in ("one", "other")
    }
    assert len(texts) == 1


def test_a_document_that_the_schema_refuses_is_an_error(bill: dict[str, Any]) -> None:
    """The schema is CycloneDX's own, read strictly."""
    validate(json.dumps(bill))
    for change in ({"components": [{"type": "cake", "name": "x"}]}, {"unknown": 1}):
        with pytest.raises(BundleError, match=r"not valid CycloneDX 1\.6"):
            validate(json.dumps({**bill, **change}))


def test_a_package_without_a_known_licence_is_an_error(tmp_path: Path) -> None:
    """The message says where to state a licence that metadata does not name."""
    unknown = wheel(tmp_path, "cake", licence="License: Ask the cook")
    with pytest.raises(BundleError, match=r"cake 1\.2 names no licence .* Ask the cook"):
        licence_of(Distribution((unknown,)))


def test_a_licence_without_an_identifier_is_named(tmp_path: Path) -> None:
    """The wheel of cuBLAS comes under NVIDIA's own licence, which its metadata writes as SPDX asks."""
    cublas = wheel(tmp_path, "boto3", licence="License-Expression: LicenseRef-NVIDIA-Proprietary")
    path, _ = write_sbom(tmp_path / "sbom", SELECTION, {"3.11": [cublas]}, DATE, name="kascribe")
    (component,) = json.loads(path.read_text(encoding="utf-8"))["components"]
    assert component["licenses"] == [{"license": {"name": "LicenseRef-NVIDIA-Proprietary"}}]


def test_every_licence_text_is_in_the_notices(wheels: Sequence[Wheel], tmp_path: Path) -> None:
    """Those of the wheels, those of our pages, and a table of all at the top."""
    _, notices = write_sbom(tmp_path / "sbom", SELECTION, {"3.11": wheels}, DATE, name="kascribe")
    text = notices.read_text(encoding="utf-8")
    assert notices.name == NOTICES
    for name in ("boto3", "botocore", "awscrt"):
        assert f"The licence of {name}" in text
    for package in vendored():
        assert all(licence.strip() in text for licence in package.texts.values())
    assert "libx264                  165            GPL-2.0-or-later" in text


def test_the_licence_of_ffmpeg_is_what_it_says_itself() -> None:
    """An FFmpeg that is built otherwise comes under another licence, which must then be stated."""
    folder = Path(av.__file__).parents[1] / "av.libs"
    library = ctypes.CDLL(str(next(folder.glob("libavutil-*.so.*"))))
    library.avutil_license.restype = ctypes.c_char_p
    assert library.avutil_license() == b"LGPL version 3 or later"
    assert LIBRARIES["libavutil"] == "LGPL-3.0-or-later"
