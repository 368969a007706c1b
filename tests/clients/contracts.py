"""The committed contracts, laid out for generators, and what generated types must contain."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kascribe.documents.event_examples import EXAMPLES

CONTRACTS: Final = Path(__file__).parents[2] / "docs" / "contracts"
BUNDLE: Final = "contracts"
"""The payloads of the AsyncAPI document as one schema: every model once, as a property of the root."""

_COMPONENTS: Final = "#/components/schemas/"
_BYTES: Final = frozenset({"ObjectNotification", "RetriedRecord", "DeadLetter", "OversizeLetter"})


def bundle() -> dict[str, Any]:
    """Combine the models of the AsyncAPI document in one schema."""
    text = (CONTRACTS / "asyncapi.json").read_text(encoding="utf-8").replace(_COMPONENTS, "#/$defs/")
    models = json.loads(text)["components"]["schemas"]
    models = {name: schema for name, schema in models.items() if name not in _BYTES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Contracts",
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in models},
        "$defs": models,
    }


def lay_out(directory: Path) -> list[Path]:
    """Write the bundle and the schema of each model, each in its own folder; return their paths."""
    schemas = [bundle(), *(json.loads(path.read_text(encoding="utf-8")) for path in _single())]
    places = []
    for schema in schemas:
        place = directory / schema["title"].lower() / f"{schema['title']}.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(schema), encoding="utf-8")
        places.append(place)
    return places


def objects() -> Iterator[tuple[str, frozenset[str]]]:
    """Iterate over every model that has fields, with their names."""
    for name, schema in bundle()["$defs"].items():
        if schema.get("properties"):
            yield name, frozenset(schema["properties"])


def enumerations() -> frozenset[str]:
    """Return the names of the models that are enumerations."""
    return frozenset(name for name, schema in bundle()["$defs"].items() if "enum" in schema)


def examples() -> dict[str, str]:
    """Return an event of every kind, as JSON, by the model's name."""
    events = (kind.model_validate(example) for kind, example in EXAMPLES.items())
    return {type(event).__name__: event.model_dump_json(exclude_none=True) for event in events}


def _single() -> list[Path]:
    return sorted(CONTRACTS.glob("*.schema.json"))
