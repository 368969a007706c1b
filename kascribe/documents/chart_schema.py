"""``values.schema.json`` of the Helm chart: its hand-written shape, with the settings of the catalogue in it."""

import json
from pathlib import Path
from typing import Any, Final

from kascribe.configuration.librdkafka import DECIDED_BY_THE_RUNTIME, OFTEN_USED, is_secret
from schemas.settings import Settings
from schemas.settings.catalogue import Setting, property_environment_name, settings

HELM: Final = Path(__file__).parents[2] / "deploy" / "helm"
SHAPE: Final = HELM / "values-shape.json"

OTHER_VALUES: Final = {
    "KASCRIBE_ARCHIVE_URL": "archive.urlSecret",
    "KASCRIBE_GATEWAY_HOST": "listenHost",
    "KASCRIBE_GATEWAY_PORT": "ports.gateway",
    "KASCRIBE_GATEWAY_TLS_CERTIFICATE_FILE": "gateway.tlsSecret",
    "KASCRIBE_GATEWAY_TLS_KEY_FILE": "gateway.tlsSecret",
    "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": "kafka.bootstrapServers",
    "KASCRIBE_KAFKA_SASL_PASSWORD": "kafka.sasl.passwordSecret",
    "KASCRIBE_S3_BUCKET": "objectStore.bucket",
    "KASCRIBE_S3_ENDPOINT_URL": "objectStore.endpointUrl",
    "KASCRIBE_S3_REGION": "objectStore.region",
    "KASCRIBE_SERVER_HOST": "listenHost",
    "KASCRIBE_SERVER_PORT": "ports.health",
    "KASCRIBE_VLLM_API_KEY": "vllm.apiKeySecret",
    "KASCRIBE_VLLM_BASE_URL": "vllm.baseUrl",
    "KASCRIBE_VLLM_MODEL": "vllm.model",
    "KASCRIBE_VLLM_TLS_CA_FILE": "vllm.caSecret",
    "KASCRIBE_VLLM_TLS_CERTIFICATE_FILE": "vllm.clientSecret",
    "KASCRIBE_VLLM_TLS_KEY_FILE": "vllm.clientSecret",
    "KASCRIBE_WEBHOOKS_SECRET": "notifier.signingSecret",
    "KASCRIBE_WEBHOOKS_TLS_CA_FILE": "notifier.caSecret",
}
"""Settings that the map of settings refuses, since mounts, ports and network policies follow them: by the value
that decides them."""

PROPERTIES_OF_OTHER_VALUES: Final = frozenset(
    {
        "group.instance.id",  # of one process alone
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "security.protocol",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
    }
)
"""librdkafka properties that other values decide, or that one value cannot give to all replicas."""

SECRET_PROPERTIES: Final = r"password$|\.secret$|\.pem$|jaas|assertion"


def chart_schema() -> str:
    """Return the text of the schema. Reads the shape."""
    schema = json.loads(SHAPE.read_text(encoding="utf-8"))
    plain = {each.environment_name: _schema_of(each) for each in settings() if _is_plain(each)}
    secret = [each.environment_name for each in settings() if each.is_secret]
    secret += [property_environment_name(name) for name in OFTEN_USED if is_secret(name)]
    references = {name: {"$ref": "#/$defs/secretKey"} for name in sorted(secret) if name not in OTHER_VALUES}
    decided = sorted(DECIDED_BY_THE_RUNTIME | PROPERTIES_OF_OTHER_VALUES)
    left = {"const": "left out: Kascribe, or another value of the chart, decides it"}
    schema["$defs"] |= {
        "settings": _object(plain),
        "secretSettings": _object(references),
        "properties": {
            "type": "object",
            "properties": dict.fromkeys(decided, left),
            "patternProperties": {SECRET_PROPERTIES: {"const": "in secretSettings, not here"}},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _is_plain(setting: Setting) -> bool:
    return not (setting.is_table or setting.is_secret or setting.environment_name in OTHER_VALUES)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _schema_of(setting: Setting) -> dict[str, Any]:
    """Return what a value may be: as pydantic says, and for a list also text with commas."""
    whole = Settings.model_json_schema()
    sections = {name: field["$ref"].rsplit("/", 1)[-1] for name, field in whole["properties"].items()}
    found = dict(whole["$defs"][sections[setting.section]]["properties"][setting.name])
    for choice in found.pop("anyOf", ()):
        if choice != {"type": "null"}:
            found |= choice
    kept = {name: value for name, value in found.items() if name not in {"default", "title", "format"}}
    kept = _resolved(kept, whole["$defs"])
    if not setting.is_list:
        return kept
    description = {"description": kept.pop("description")}
    return description | {"anyOf": [kept, {"type": "string"}]}


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Put definitions in the place of references to them."""
    if "$ref" in schema:
        definition = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        return {name: value for name, value in (definition | rest).items() if name != "title"}
    return {
        name: _resolved(value, definitions) if isinstance(value, dict) else value for name, value in schema.items()
    }
