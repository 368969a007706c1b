"""The bill of materials as a CycloneDX 1.6 document, and its validation by the official schema."""

import uuid
from datetime import UTC, datetime
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from deploy.bundle.errors import BundleError
from deploy.bundle.selection import Selection
from deploy.sbom.distribution import Distribution
from deploy.sbom.licences import LIBRARIES, licence_of
from deploy.sbom.materials import KASCRIBE, Key, Materials
from deploy.sbom.vendored import Vendored

_LICENCES: Final = LicenseFactory()
_NAMESPACE: Final = uuid.UUID("0f8d2f6c-7d53-5f3b-9c55-5a1a1d6f2e10")


def document(materials: Materials, selection: Selection, date: int) -> str:
    """Write the document; the same materials and date give the same text. Raises BundleError."""
    components = {key: _component(each) for key, each in materials.distributions.items()}
    own = _kascribe(materials, selection)
    bom = Bom(components=components.values())
    bom.metadata.component = own
    bom.metadata.timestamp = datetime.fromtimestamp(date, UTC)
    for key, component in {(KASCRIBE, materials.version): own, **components}.items():
        needed: frozenset[Key] = materials.needs.get(key, frozenset())
        bom.register_dependency(component, [components[each] for each in sorted(needed)])
    listed = "\n".join(f"{name} {version}" for name, version in sorted(components))
    bom.serial_number = uuid.uuid5(_NAMESPACE, f"{selection.name} {materials.version} {date}\n{listed}")
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    return f"{text}\n"


def validate(text: str) -> None:
    """Compare a document with the schema, strictly. Raises BundleError with the first difference."""
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise BundleError(f"the bill of materials is not valid CycloneDX 1.6: {problem}")


def _kascribe(materials: Materials, selection: Selection) -> Component:
    return Component(
        name=KASCRIBE,
        version=materials.version,
        type=ComponentType.APPLICATION,
        bom_ref=f"{KASCRIBE}@{materials.version}",
        licenses=[_LICENCES.make_from_string("MIT")],
        purl=PackageURL("pypi", None, KASCRIBE, materials.version),
        components=[_vendored(each) for each in materials.vendored],
        properties=[Property(name="kascribe:bundle", value=selection.name)],
    )


def _vendored(package: Vendored) -> Component:
    purl = PackageURL("npm", None, package.name, package.version)
    return Component(
        name=package.name,
        version=package.version,
        bom_ref=str(purl),
        licenses=[_LICENCES.make_from_string(package.licence)],
        purl=purl,
    )


def _component(distribution: Distribution) -> Component:
    purl = PackageURL("pypi", None, distribution.name, distribution.version)
    return Component(
        name=distribution.name,
        version=distribution.version,
        bom_ref=str(purl),
        description=distribution.metadata.get("Summary"),
        licenses=[_LICENCES.make_from_string(licence_of(distribution))],
        purl=purl,
        components=[_library(distribution, name, version) for name, version in distribution.libraries],
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(f"wheels/{wheel.path.name}"),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
            )
            for wheel in sorted(distribution.wheels, key=lambda wheel: wheel.path.name)
        ],
    )


def _library(distribution: Distribution, name: str, version: str) -> Component:
    licence = LIBRARIES.get(name)
    return Component(
        name=name,
        version=version or None,
        bom_ref=f"{distribution.name}@{distribution.version}/{name}@{version}",
        licenses=[_LICENCES.make_from_string(licence)] if licence else None,
    )
