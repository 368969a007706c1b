"""The generated page of the options of a job, and of the options of faster-whisper that are refused."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from kascribe.documents.markdown import page, table
from schemas.options import DECODING_DEFAULTS, TranscribeOptions
from schemas.options.refused import REFUSED_OPTIONS
from schemas.options.types import VadParameters

_INTRODUCTION: Final = """
How one recording is transcribed. The names are those of faster-whisper's `transcribe` where it has the option. The
same options, with the same values, are

- fields of `options` in an event of `audio.references`: `"options": {"patience": 2}`;
- fields of the gateway's form: `-F patience=2`;
- metadata of a dropped object, with hyphens ([names](dropping.md#options)): `--metadata patience=2`;
- options of `kascribe transcribe` and `kascribe submit`, with hyphens: `--patience 2` ([names](commands.md)).

Two jobs with equal options, audio and model have the same transcript; it is reused. An unknown name is refused
with the nearest one, at all four places; an option without effect beside another (`patience` with `beam_size` 1)
is refused as well. A job that gives an option its default is the same job as one without the option.

Lists are written with commas in forms, metadata and commands (`suppress_tokens=-1,11`); `vad_parameters` as pairs
(`vad_parameters=threshold=0.6,speech_pad_ms=200`) or as an object in JSON, as in events.
"""

_DETECTION: Final = """
`vad_parameters` holds these. The defaults find the same speech as faster-whisper's batched pipeline with its
defaults. A lower `threshold` or more `speech_pad_ms` keeps faint speech and the ends of words; a higher one keeps
noise out.
"""

_THRESHOLDS: Final = """
Whisper's thresholds judge each window by itself: see [text](transcription.md). `compression_ratio_threshold` of
1000, `log_prob_threshold` of -1000 and `no_speech_threshold` of 1 switch each check off.
"""

_REFUSED: Final = """
These options of faster-whisper are refused with `invalid_options`, never ignored.
"""


def options_page() -> str:
    """Return the page: each option with its values, its default and its meaning."""
    return page(
        "Options of a job",
        _INTRODUCTION,
        table(("option", "values", "default", "meaning"), _rows(TranscribeOptions)),
        _THRESHOLDS.strip(),
        f"## Detection of speech\n\n{_DETECTION.strip()}",
        table(("in `vad_parameters`", "values", "default", "meaning"), _rows(VadParameters)),
        f"## Refused\n\n{_REFUSED.strip()}",
        table(("option", "reason"), ((f"`{name}`", why) for name, why in sorted(REFUSED_OPTIONS.items()))),
    )


def _rows(kind: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    schema = kind.model_json_schema()
    definitions = schema.get("$defs", {})
    for name, field in schema["properties"].items():
        yield f"`{name}`", _values(field, definitions), _default(name, field), field.get("description", "")


def _values(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    inner = next((each for each in field.get("anyOf", ()) if each.get("type") != "null"), field)
    if "$ref" in inner:
        inner = definitions[inner["$ref"].rsplit("/", 1)[-1]]
    if "enum" in inner:
        return ", ".join(f"`{each}`" for each in inner["enum"])
    if inner.get("type") == "array":
        return f"list of {_values(inner['items'], definitions)}"
    return f"{_KINDS[inner['type']]}{_bounds(inner)}"


_KINDS: Final = {
    "string": "text",
    "boolean": "true or false",
    "integer": "integer",
    "number": "number",
    "object": "object, see below",
}


def _bounds(inner: dict[str, Any]) -> str:
    bounds = {
        "from": inner.get("minimum"),
        "above": inner.get("exclusiveMinimum"),
        "to": inner.get("maximum"),
        "below": inner.get("exclusiveMaximum"),
    }
    return "".join(f" {word} {bound:g}" for word, bound in bounds.items() if bound is not None)


def _default(name: str, field: dict[str, Any]) -> str:
    default = DECODING_DEFAULTS.get(name, field.get("default"))
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    if isinstance(default, bool):
        default = str(default).lower()
    return "" if default in (None, "", []) or isinstance(default, BaseModel) else f"`{default}`"
