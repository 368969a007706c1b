"""The sources of settings: TOML, names in an environment or a ``.env`` file, the command line.

Each source gives a layer: the values by the setting's key, each with the name that the user gave it.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kascribe.configuration import librdkafka
from schemas.errors import ConfigurationError
from schemas.settings.catalogue import (
    ENVIRONMENT_PREFIX,
    PROPERTY_PREFIX,
    by_environment_name,
    by_key,
    property_environment_name,
)

CONFIG_NAME: Final = "KASCRIBE_CONFIG"
FILE_SUFFIX: Final = "_FILE"
PROPERTIES_KEY: Final = "kafka.properties"
TENANTS_KEY: Final = "webhooks.tenants"
OTHER_NAMES: Final = frozenset(
    {CONFIG_NAME, "KASCRIBE_CACHE", "KASCRIBE_URL", "KASCRIBE_API_KEY", "KASCRIBE_API_KEY_FILE"}
)
"""Names that are no settings: of the file of settings, of the tests' servers, and of clients of a gateway."""
TEST_PREFIX: Final = "KASCRIBE_TEST_"
SECRET_FILE_LIMIT_BYTES: Final = 1024**2
_KUBERNETES_LINK: Final = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_KUBERNETES_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")

FOREIGN_NAMES: Final[dict[str, str]] = {
    "AWS_ENDPOINT_URL_S3": "s3.endpoint_url",
    "AWS_ENDPOINT_URL": "s3.endpoint_url",
    "AWS_REGION": "s3.region",
    "AWS_DEFAULT_REGION": "s3.region",
    "HF_HUB_OFFLINE": "whisper.offline",
    "WHISPER_DEVICE": "whisper.device",
    "MODEL_NAME": "vllm.model",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "tracing.endpoint_url",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "tracing.endpoint_url",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "tracing.headers",
    "OTEL_EXPORTER_OTLP_HEADERS": "tracing.headers",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "tracing.tls_ca_file",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "tracing.tls_ca_file",
}
"""Names that are not ours, the stronger before the weaker. They apply where no name of ours is set."""


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A value from one source. ``label`` is the name as the user wrote it, and the place."""

    value: Any
    label: str


Layer = dict[str, GivenValue]
"""By key: ``whisper.device``, and ``kafka.properties.sasl.username`` for a librdkafka property."""


def from_names(names: Mapping[str, str], *, where: str = "") -> Layer:
    """Return the layer of ``KASCRIBE_*`` names. An empty value counts as not given, as in compose files.

    Reads the files that ``*_FILE`` names point to. Raises ConfigurationError for a name that is no setting.
    """
    ours = {name: text for name, text in names.items() if name.startswith(ENVIRONMENT_PREFIX) and text}
    layer: Layer = {}
    for name, text in sorted(ours.items()):
        if _is_not_for_us(name, text):
            continue
        key, from_file = _key(name, where)
        if key in layer:
            raise ConfigurationError(f"{layer[key].label} and {name}{where} say the same thing: keep one of them")
        value = _read_secret(name + where, text) if from_file else text
        layer[key] = GivenValue(_split(key, value), name + where)
    return layer


def from_foreign_names(names: Mapping[str, str], *, where: str = "") -> Layer:
    """Return the layer of the names that other programs use too."""
    layer: Layer = {}
    for name, key in FOREIGN_NAMES.items():
        if names.get(name):
            layer.setdefault(key, GivenValue(names[name], name + where))
    return layer


def from_toml(path: Path) -> Layer:
    """Return the layer of a TOML file. Raises ConfigurationError for a bad file or an unknown setting."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    return {key: GivenValue(_split(key, value), f"{key} in {path}") for key, value in _flat(document, path)}


def from_overrides(overrides: Mapping[str, object]) -> Layer:
    """Return the layer of the command line, by keys such as ``whisper.device``. None means not given."""
    layer: Layer = {}
    for key, value in overrides.items():
        if value is None:
            continue
        if key not in by_key() and not key.startswith(f"{PROPERTIES_KEY}."):
            raise ConfigurationError(f"{key} is not a setting{_suggest(key, by_key())}")
        layer[key] = GivenValue(_split(key, value), f"{key} on the command line")
    return layer


def _is_not_for_us(name: str, text: str) -> bool:
    # Kubernetes sets variables for every service in each pod: one called kascribe-gateway gives KASCRIBE_GATEWAY_PORT=tcp://...
    linked = _KUBERNETES_LINK.fullmatch(name) or _KUBERNETES_ADDRESS.match(text)
    return bool(linked) or name in OTHER_NAMES or name.startswith(TEST_PREFIX)


def _key(name: str, where: str) -> tuple[str, bool]:
    known = by_environment_name()
    if name in known:
        return known[name].key, False
    target = known.get(name.removesuffix(FILE_SUFFIX))
    if target is not None and target.is_secret:
        return target.key, True
    if name.startswith(PROPERTY_PREFIX):
        return _property_key(name, where)
    if target is not None:
        raise ConfigurationError(
            f"{name}{where} is not a setting: only secrets come from files; set {target.environment_name} itself"
        )
    raise ConfigurationError(f"{name}{where} is not a setting{_suggest(name, known)}")


def _property_key(name: str, where: str) -> tuple[str, bool]:
    # librdkafka has properties that end in .file themselves, so the whole name is tried first.
    for candidate in (name, name.removesuffix(FILE_SUFFIX)):
        for prop in librdkafka.property_names(candidate.removeprefix(PROPERTY_PREFIX)):
            if librdkafka.check_property(prop, "")[0] is not librdkafka.PropertyStatus.UNKNOWN:
                return f"{PROPERTIES_KEY}.{prop}", candidate != name
    properties = [property_environment_name(often_used) for often_used in librdkafka.OFTEN_USED]
    raise ConfigurationError(
        f"{name}{where} is neither a setting nor a librdkafka property"
        f"{_suggest(name, [*by_environment_name(), *properties])}"
    )


def _flat(document: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    for part, table in document.items():
        if not isinstance(table, dict):
            raise ConfigurationError(f"{part} in {path} stands outside any table{_suggest(part, by_key())}")
        for name, value in table.items():
            key = f"{part}.{name}"
            if key == PROPERTIES_KEY and isinstance(value, dict):
                yield from _flat_properties(value, key)
            elif key == TENANTS_KEY and isinstance(value, dict):
                yield key, {tenant: _with_secret(key, tenant, given) for tenant, given in value.items()}
            elif key in by_key():
                yield key, value
            else:
                raise ConfigurationError(f"{key} in {path} is not a setting{_suggest(key, by_key())}")


def _flat_properties(table: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    # TOML reads an unquoted sasl.username as a table in a table; both spellings mean the same.
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat_properties(value, f"{key}.{name}")
        else:
            yield f"{key}.{name}", str(value).lower() if isinstance(value, bool) else str(value)


def _with_secret(key: str, tenant: str, given: Any) -> Any:
    """Return a tenant's table with the secret from the file that ``secret_file`` names."""
    if not isinstance(given, dict) or "secret_file" not in given:
        return given
    rest = {name: value for name, value in given.items() if name != "secret_file"}
    return {**rest, "secret": _read_secret(f"{key}.{tenant}.secret_file", str(given["secret_file"]))}


def _split(key: str, value: Any) -> Any:
    setting = by_key().get(key)
    if setting is not None and setting.is_list and isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


def _read_secret(label: str, path: str) -> str:
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            secret = file.read(SECRET_FILE_LIMIT_BYTES).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{label} names {path}, which cannot be read: {why}") from error
    if not secret:
        raise ConfigurationError(f"{label} names {path}, which is empty: write the secret into it")
    return secret


def _suggest(name: str, known: Mapping[str, object] | list[str]) -> str:
    # Without the prefix that all share, which would make any two names alike.
    bare = {each.removeprefix(ENVIRONMENT_PREFIX): each for each in known}
    nearest = difflib.get_close_matches(name.removeprefix(ENVIRONMENT_PREFIX), bare, n=1, cutoff=0.6)
    return f": did you mean {bare[nearest[0]]}?" if nearest else "; docs/settings.md lists them all"
