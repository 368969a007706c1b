"""Both files of the bill of materials, written into a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from deploy.bundle.selection import Selection
from deploy.bundle.wheels import Wheel
from deploy.sbom.document import document, validate
from deploy.sbom.materials import materials_of
from deploy.sbom.notices import notices

NOTICES: Final = "THIRD_PARTY_LICENSES.txt"


def write_sbom(
    folder: Path, selection: Selection, wheels: Mapping[str, Sequence[Wheel]], date: int, *, name: str
) -> tuple[Path, Path]:
    """Write ``NAME.cdx.json`` and the licences into ``folder``, and return both paths. Raises BundleError."""
    materials = materials_of(selection, wheels)
    text = document(materials, selection, date)
    validate(text)
    folder.mkdir(parents=True, exist_ok=True)
    bill, licences = folder / f"{name}.cdx.json", folder / NOTICES
    bill.write_text(text, encoding="utf-8")
    licences.write_text(notices(materials), encoding="utf-8")
    return bill, licences
