"""The licences of everything in an installation, as one text to read and to pass on."""

from collections.abc import Iterator, Mapping
from typing import Final

from deploy.sbom.licences import LIBRARIES, licence_of
from deploy.sbom.materials import Materials

_RULE: Final = "=" * 100


def notices(materials: Materials) -> str:
    """Write a table of packages and licences, then every licence text. Raises BundleError."""
    packages = list(materials.distributions.values())
    rows = [(each.name, each.version, licence_of(each)) for each in packages]
    rows += [(each.name, each.version, f"{each.licence} (in Kascribe's pages)") for each in materials.vendored]
    parts = ["Third-party software in this installation of Kascribe, and its licences.\n"]
    parts += [f"{name:<44} {version:<14} {licence}" for name, version, licence in sorted(rows)]
    for package in packages:
        if package.libraries:
            parts += [
                "",
                f"The wheel of {package.name} {package.version} also contains shared libraries of others:",
            ]
            parts += [
                f"  {name:<24} {version:<14} {LIBRARIES.get(name, '')}".rstrip()
                for name, version in package.libraries
            ]
    texts: dict[str, Mapping[str, str]] = {f"{each.name} {each.version}": each.licence_texts for each in packages}
    texts |= {f"{each.name} {each.version}": each.texts for each in materials.vendored}
    for title, found in sorted(texts.items()):
        parts += _chapter(title, found)
    return "\n".join(parts) + "\n"


def _chapter(title: str, texts: Mapping[str, str]) -> Iterator[str]:
    yield from ("", _RULE, title, _RULE)
    if not texts:
        yield "The wheel contains no text of its licence."
    for name, text in texts.items():
        yield from ("", f"--- {name}", "", text.strip())
