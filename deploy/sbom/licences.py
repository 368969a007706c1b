"""The licence of each package as an SPDX expression, from its own metadata."""

import re
from typing import Final

from cyclonedx.spdx import fixup_id, is_expression

from deploy.bundle.errors import BundleError
from deploy.sbom.distribution import Distribution

NAMES: Final = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
}
"""What packages write instead of an SPDX identifier, in lower case."""

STATED: Final = {
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
}
"""Licences that metadata does not name exactly, read from the text of the licence by hand."""

LIBRARIES: Final = {
    "libavcodec": "LGPL-3.0-or-later",
    "libavdevice": "LGPL-3.0-or-later",
    "libavfilter": "LGPL-3.0-or-later",
    "libavformat": "LGPL-3.0-or-later",
    "libavutil": "LGPL-3.0-or-later",
    "libswresample": "LGPL-3.0-or-later",
    "libswscale": "LGPL-3.0-or-later",
    "libx264": "GPL-2.0-or-later",
    "libx265": "GPL-2.0-or-later",
}
"""Libraries in wheels under another licence than the package: FFmpeg's, as they say themselves, and encoders.

Kascribe only decodes. A copy of the wheel of ``av`` contains these encoders all the same.
"""

_REFERENCE: Final = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
"""SPDX's form for a licence that has no identifier, such as NVIDIA's; its text is in the wheel."""


def licence_of(distribution: Distribution) -> str:
    """Return an SPDX expression. Raises BundleError when the metadata names no licence."""
    metadata = distribution.metadata
    classifiers = [
        line.rpartition("::")[2].strip()
        for line in metadata.get_all("Classifier", [])
        if line.startswith("License ::")
    ]
    candidates = [metadata.get("License-Expression"), metadata.get("License")]
    candidates += classifiers if len(classifiers) == 1 else []
    if stated := STATED.get(distribution.name):
        return stated
    for candidate in candidates:
        if candidate and (found := _spdx(candidate.strip())):
            return found
    said = metadata.get("License") or classifiers
    raise BundleError(
        f"{distribution.name} {distribution.version} names no licence that SPDX knows (it says {said}): read its "
        "licence and add it to STATED in deploy/sbom/licences.py"
    )


def _spdx(text: str) -> str | None:
    if identifier := fixup_id(text):
        return identifier
    if known := NAMES.get(text.lower()):
        return known
    return text if _REFERENCE.fullmatch(text) or is_expression(text) else None
