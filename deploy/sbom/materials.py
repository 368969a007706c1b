"""The materials of an installation: its packages, and which of them needs which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.bundle.contents import project, version
from deploy.bundle.selection import Selection
from deploy.bundle.target import Target
from deploy.bundle.wheels import Wheel
from deploy.sbom.distribution import Distribution
from deploy.sbom.vendored import Vendored, vendored

KASCRIBE: Final = "kascribe"
Key = tuple[str, str]
"""Name and version: two Pythons may have two versions of a package."""


@dataclass(frozen=True, slots=True)
class Materials:
    """Packages by name and version, what each needs, and what is in Kascribe's own wheel."""

    version: str
    distributions: Mapping[Key, Distribution]
    needs: Mapping[Key, frozenset[Key]]
    vendored: Sequence[Vendored]


def materials_of(selection: Selection, wheels: Mapping[str, Sequence[Wheel]]) -> Materials:
    """Read the materials of a bundle; ``wheels`` are by version of Python."""
    files: dict[Key, dict[str, Wheel]] = {}
    for chosen in wheels.values():
        for wheel in chosen:
            files.setdefault((wheel.pin.name, wheel.pin.version), {})[wheel.path.name] = wheel
    distributions = {key: Distribution(tuple(found.values())) for key, found in sorted(files.items())}
    needs: dict[Key, set[Key]] = {}
    for target in selection.targets():
        here = {wheel.pin.name: (wheel.pin.name, wheel.pin.version) for wheel in wheels[target.python]}
        _follow(selection, target, {name: distributions[key] for name, key in here.items()}, needs)
    return Materials(version(), distributions, {key: frozenset(found) for key, found in needs.items()}, vendored())


def _follow(
    selection: Selection, target: Target, here: Mapping[str, Distribution], needs: dict[Key, set[Key]]
) -> None:
    """Add what each package needs on one target, beginning with Kascribe and its extras."""
    waiting: list[tuple[str, frozenset[str]]] = [(KASCRIBE, frozenset(selection.extras))]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        required = _of_kascribe(extras, target) if name == KASCRIBE else here[name].requires(target, extras)
        key = (KASCRIBE, version()) if name == KASCRIBE else (name, here[name].version)
        for needed, requested in required.items():
            if needed in here:
                needs.setdefault(key, set()).add((needed, here[needed].version))
            if needed in here or needed == KASCRIBE:
                waiting.append((needed, requested))


def _of_kascribe(extras: frozenset[str], target: Target) -> dict[str, frozenset[str]]:
    described = project()
    lines = [*described["dependencies"]]
    for extra in extras:
        lines += described["optional-dependencies"][extra]
    requirements = [Requirement(line) for line in lines]
    return {
        canonicalize_name(each.name): frozenset(each.extras)
        for each in requirements
        if each.marker is None or each.marker.evaluate(target.markers())
    }
