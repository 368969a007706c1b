"""What Kascribe's own wheel contains of others: JavaScript of the gateway's pages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.bundle.errors import BundleError
from deploy.bundle.selection import ROOT


@dataclass(frozen=True, slots=True)
class Vendored:
    """One npm package of which files are in a folder; the folder's README names the version."""

    name: str
    version: str
    licence: str
    texts: Mapping[str, str]


_GATEWAY: Final = ROOT / "producers" / "gateway"
_SWAGGER: Final = _GATEWAY / "documentation" / "swagger_ui"
_PREACT: Final = _GATEWAY / "page" / "site" / "library"


def vendored() -> tuple[Vendored, ...]:
    """Return the packages whose files are in Kascribe's wheel. Raises BundleError when a version is not named."""
    swagger_texts = ("LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt")
    return (
        Vendored("htm", _version(_PREACT, "htm"), "Apache-2.0", _texts(_PREACT, "LICENSE")),
        Vendored("preact", _version(_PREACT, "Preact"), "MIT", _texts(_PREACT, "LICENSE.preact")),
        Vendored(
            "swagger-ui-dist", _version(_SWAGGER, "Swagger UI"), "Apache-2.0", _texts(_SWAGGER, *swagger_texts)
        ),
    )


def _version(folder: Path, name: str) -> str:
    found = re.search(rf"\b{name} (\d[\d.]*\d|\d+)", (folder / "README.md").read_text(encoding="utf-8"))
    if found is None:
        raise BundleError(f"{folder / 'README.md'} names no version of {name}")
    return found[1]


def _texts(folder: Path, *names: str) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}
