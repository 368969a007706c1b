"""Profiles: a task for the model, the JSON schema of its answer, and a version, one TOML file each."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import jsonschema
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.vllm.answers.bounds import bound_schema
from models.vllm.answers.lengths import TokenBudget
from models.vllm.answers.reading import validator_for
from schemas.errors import ConfigurationError
from schemas.options import ProfileName
from schemas.options.misspelling import did_you_mean

BUILT_IN_PROFILES: Final = Path(__file__).with_name("profiles")
TASK_LIMIT_CHARACTERS: Final = 4_000
COMPLETION_LIMIT_TOKENS: Final = 32_768
INSTRUCTION: Final = "instruction"
"""The profile name of a free instruction."""


class RewriteKind(StrEnum):
    """How a profile rewrites every segment, instead of answering."""

    REDACTION = "redaction"
    TRANSLATION = "translation"


class ProfileFile(BaseModel):
    """The fields of a profile's file. A profile has a schema, or rewrites."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: ProfileName
    version: str = Field(min_length=1, max_length=32)
    task: str = Field(min_length=1, max_length=TASK_LIMIT_CHARACTERS)
    json_schema: str | None = Field(default=None, alias="schema")
    rewrite: RewriteKind | None = Field(default=None, strict=False)
    max_completion_tokens: int = Field(default=1_024, ge=16, le=COMPLETION_LIMIT_TOKENS)
    temperature: float = Field(default=0.3, ge=0, le=2)
    may_be_empty: bool = True


_FILE_FIELDS: Final = tuple(field.alias or name for name, field in ProfileFile.model_fields.items())


@dataclass(frozen=True, slots=True)
class Profile:
    """A task for the model. ``schema`` None requests text. Another task or schema is another version.

    ``rewrite``: the task is put for the lines of every segment, and the result is another transcript.
    ``may_be_empty``: lists without items are an answer.
    """

    name: str
    version: str
    task: str
    schema: Mapping[str, Any] | None
    max_completion_tokens: int = 1_024
    temperature: float = 0.3
    rewrite: RewriteKind | None = None
    may_be_empty: bool = True


def load_profiles(directory: Path | None = None) -> dict[str, Profile]:
    """Load the built-in profiles and those of ``directory``, which override them by name.

    Raises ConfigurationError, naming the file.
    """
    if directory is not None and not directory.is_dir():
        raise ConfigurationError(f"KASCRIBE_VLLM_PROFILES_DIRECTORY: {directory} is not a directory")
    paths: Iterable[Path] = sorted(BUILT_IN_PROFILES.glob("*.toml"))
    paths = [*paths, *sorted(directory.glob("*.toml"))] if directory else paths
    profiles = (read_profile(path) for path in paths)
    return {profile.name: profile for profile in profiles}


def read_profile(path: Path) -> Profile:
    """Read one file. Raises ConfigurationError."""
    try:
        fields = ProfileFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        if fields.name == INSTRUCTION:
            raise ConfigurationError(f"{path}: name: {INSTRUCTION!r} is that of free instructions")
        if (fields.json_schema is None) == (fields.rewrite is None):
            raise ConfigurationError(f"{path}: a profile has a schema, or rewrite is {' or '.join(RewriteKind)}")
        schema = None if fields.json_schema is None else _read_schema(path, fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        unknown = first["type"] == "extra_forbidden"
        why = f"no such field: {did_you_mean(field, _FILE_FIELDS)}" if unknown else first["msg"]
        raise ConfigurationError(f"{path}: {field}: {why}") from error
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: cannot be read as a profile: {error}") from error
    except jsonschema.SchemaError as error:
        raise ConfigurationError(f"{path}: schema: {error.message}") from error
    return Profile(
        fields.name,
        fields.version,
        fields.task,
        schema,
        fields.max_completion_tokens,
        fields.temperature,
        fields.rewrite,
        fields.may_be_empty,
    )


def _read_schema(path: Path, fields: ProfileFile) -> dict[str, Any]:
    schema = json.loads(fields.json_schema or "")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ConfigurationError(f"{path}: schema must be of type object")
    validator_for(schema)
    bound_schema(schema, TokenBudget(fields.max_completion_tokens))
    return schema


def for_instruction(instruction: str) -> Profile:
    """Return a free instruction as a profile: its answer is text."""
    return Profile(INSTRUCTION, "1", instruction, schema=None)
