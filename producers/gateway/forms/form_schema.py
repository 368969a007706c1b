"""The forms of requests as OpenAPI describes them, from the fields of the options."""

from typing import Any, Final

from producers.gateway.forms.presentation import INCLUDE, RESPONSE_FORMAT, Part
from schemas.options import ExportFormat, TranscribeOptions

_COMMAS: Final = "Separated by commas."
_PAIRS: Final = "Pairs of name=value separated by commas, or an object in JSON."
_TEXT: Final = {"type": "string"}
_FILE: Final = {"type": "string", "format": "binary", "description": "The audio or video file, in any format."}
_TENANT: Final = {**_TEXT, "description": "The job's tenant; `default` without it. An API key decides by itself."}
_ENRICHING: Final = {
    "instruction": {**_TEXT, "description": "What the language model does with the text, in your words."},
    "profiles": {**_TEXT, "description": f"Profiles to apply, such as summary and action_items. {_COMMAS}"},
    "answer_language": {**_TEXT, "description": "Language of the answers; that of the transcript without it."},
}


def form_of(*, enriching: bool) -> dict[str, Any]:
    """Return the description of a route's form, for ``openapi_extra``."""
    include = {**_TEXT, "description": f"Parts to add to the answer: {', '.join(Part)}. {_COMMAS}"}
    fields = {"file": _FILE, "tenant": _TENANT, **option_fields(), INCLUDE: include}
    if not enriching:
        fields[RESPONSE_FORMAT] = {
            **_TEXT,
            "enum": list(ExportFormat),
            "description": "Answer with the transcript in this format instead.",
        }
    if enriching:
        fields |= _ENRICHING
    form = {"type": "object", "required": ["file"], "properties": fields, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def option_fields() -> dict[str, dict[str, Any]]:
    """Return the fields of a form that are options, each with its schema."""
    schema = TranscribeOptions.model_json_schema()
    definitions = schema.get("$defs", {})
    return {name: _field(field, definitions) for name, field in schema["properties"].items()}


def _field(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    inner = next((each for each in field.get("anyOf", ()) if each.get("type") != "null"), field)
    if "$ref" in inner:
        inner = definitions[inner["$ref"].rsplit("/", 1)[-1]]
    written = {"array": _COMMAS, "object": _PAIRS}.get(inner["type"])
    meaning = " ".join(filter(None, (field.get("description") or inner.get("description"), written)))
    bounds = ("enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "maxLength")
    described = {} if written else {name: inner[name] for name in bounds if name in inner}
    return {"type": "string" if written else inner["type"], **described, "description": meaning}
