"""Loading of settings, from the weakest source to the strongest.

Defaults, names that other programs use too (``AWS_REGION``), a TOML file, a ``.env`` file, the environment,
the command line. Every error names a setting as the user wrote it.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from kascribe.configuration import librdkafka
from kascribe.configuration.sources import (
    CONFIG_NAME,
    PROPERTIES_KEY,
    TENANTS_KEY,
    Layer,
    from_foreign_names,
    from_names,
    from_overrides,
    from_toml,
)
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from schemas.settings.catalogue import (
    HIDDEN,
    Setting,
    by_key,
    property_environment_name,
    settings,
    without_credentials,
)
from schemas.settings.plain_secrets import exposed_secrets

CONFIG_FILE: Final = Path("kascribe.toml")
ENVIRONMENT_FILE: Final = Path(".env")
_EXPORTED: Final = ("AWS_", "HF_", "HUGGINGFACE_HUB_TOKEN")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and the source of each. A key that is not in ``provenance`` has its default."""

    settings: Settings
    provenance: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One setting for display. ``source`` is ``default`` or the name as the user wrote it. Secrets are masked."""

    environment_name: str
    key: str
    value: str
    source: str


def load(
    *,
    overrides: Mapping[str, object] | None = None,
    config_file: Path | None = None,
    environment_file: Path = ENVIRONMENT_FILE,
    environment: MutableMapping[str, str] | None = None,
) -> Loaded:
    """Load all settings. ``overrides`` are keys such as ``whisper.device``; None in them was not given.

    Reads files; opens no socket. ``AWS_*`` and ``HF_*`` from a ``.env`` file are added to ``environment`` (None:
    this process's) where they are absent or empty, for the libraries that read them there.
    Raises ConfigurationError.
    """
    environment = os.environ if environment is None else environment
    in_file = _environment_file(environment_file)
    where = f" in {environment_file}"
    for name, text in in_file.items():
        if name.startswith(_EXPORTED) and not environment.get(name):
            environment[name] = text
    given = from_foreign_names(in_file, where=where) | from_foreign_names(environment)
    config = _config_file(config_file, environment, in_file)
    if config is not None:
        given |= from_toml(config)
    given |= from_names(in_file, where=where) | from_names(environment) | from_overrides(overrides or {})
    loaded = _validated(given)
    if refusals := tuple(exposed_secrets(loaded, environment)):
        raise ConfigurationError("\n".join(refusals))
    return Loaded(loaded, {key: each.label for key, each in given.items()})


def describe(loaded: Loaded) -> tuple[Row, ...]:
    """Return every setting with its value and source, safe to print: secrets are masked."""
    rows: list[Row] = []
    for setting in settings():
        if setting.key == TENANTS_KEY:
            rows.extend(_tenant_rows(loaded, setting))
            continue
        if setting.is_table:
            rows.extend(_property_rows(loaded, setting))
            continue
        value = getattr(getattr(loaded.settings, setting.section), setting.name)
        source = loaded.provenance.get(setting.key, "default")
        rows.append(Row(setting.environment_name, setting.key, _shown(value), source))
    return tuple(rows)


def _property_rows(loaded: Loaded, setting: Setting) -> Iterator[Row]:
    for name, value in sorted(loaded.settings.kafka.properties.items()):
        key = f"{setting.key}.{name}"
        shown = HIDDEN if librdkafka.is_secret(name) else value.get_secret_value()
        yield Row(property_environment_name(name), key, shown, loaded.provenance.get(key, "default"))


def _tenant_rows(loaded: Loaded, setting: Setting) -> Iterator[Row]:
    source = loaded.provenance.get(setting.key, "default")
    for tenant, webhooks in sorted(loaded.settings.webhooks.tenants.items()):
        for name in type(webhooks).model_fields:
            yield Row("", f"{setting.key}.{tenant}.{name}", _shown(getattr(webhooks, name)), source)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return without_credentials(str(value))


def _environment_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        return {name: text for name, text in dotenv_values(path, interpolate=False).items() if text}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def _config_file(chosen: Path | None, environment: Mapping[str, str], in_file: Mapping[str, str]) -> Path | None:
    named = environment.get(CONFIG_NAME) or in_file.get(CONFIG_NAME)
    for path, origin in ((chosen, "--config"), (Path(named).expanduser() if named else None, CONFIG_NAME)):
        if path is None:
            continue
        if not path.is_file():
            raise ConfigurationError(f"{origin} names {path}, which is not there")
        return path
    return CONFIG_FILE if CONFIG_FILE.is_file() else None


def _validated(given: Layer) -> Settings:
    tree: dict[str, dict[str, Any]] = {}
    properties: dict[str, str] = {}
    for key, each in given.items():
        if key.startswith(f"{PROPERTIES_KEY}."):
            name = key.removeprefix(f"{PROPERTIES_KEY}.")
            _check_property(name, str(each.value), each.label)
            properties[name] = str(each.value)
        else:
            section, name = key.split(".", 1)
            tree.setdefault(section, {})[name] = each.value
    if properties:
        tree.setdefault("kafka", {})["properties"] = properties
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        # Never the original error as the cause: its text repeats the values, secrets among them.
        raise ConfigurationError("\n".join(_sentence(problem, given) for problem in problems)) from None


def _check_property(name: str, value: str, label: str) -> None:
    if name in librdkafka.DECIDED_BY_THE_RUNTIME:
        raise ConfigurationError(
            f"{label} cannot be set: delivery depends on it, so Kascribe decides {name} itself"
        )
    status, sentence = librdkafka.check_property(name, value)
    if status is librdkafka.PropertyStatus.UNKNOWN:
        raise ConfigurationError(f"{label} is not a librdkafka property: correct the name or remove it")
    if status is librdkafka.PropertyStatus.BAD_VALUE:
        # librdkafka's sentence repeats the value.
        why = "" if librdkafka.is_secret(name) else f": {sentence}"
        raise ConfigurationError(f"{label} has a value that librdkafka does not accept{why}")


def _sentence(problem: ErrorDetails, given: Layer) -> str:
    key = ".".join(str(step) for step in problem["loc"][:2])
    setting = by_key()[key]
    label = given[key].label if key in given else setting.environment_name
    if setting.is_table:
        label = f"{'.'.join(map(str, problem['loc'][2:]))} of {label}"
    rule = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    value = (
        "a value that is hidden here"
        if setting.is_secret or setting.is_table
        else repr(given[key].value)
        if key in given
        else "unset"
    )
    return f"{label} is {without_credentials(value)}: it {rule} ({setting.meaning.rstrip('.')})"
