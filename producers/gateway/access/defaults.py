"""Options of an API key, which a request's own fields override. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from producers.gateway.access.caller import Caller
from schemas.options import TranscribeOptions
from schemas.options.types import AS_TEXT

RIVALS: Final[Mapping[str, str]] = {
    "language": "languages",
    "languages": "language",
    "vad": "vad_parameters",
    "beam_size": "patience",
}
"""Options that may contradict another one: a request's own field wins over the key's option of either name."""


def with_transcribe_defaults(caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's options for transcription, with the key's where the request gives none.

    A key's option that contradicts the request's own is left out.
    """
    defaults = caller.key.defaults.transcribe if caller.key else {}
    merged = {**defaults, **given}
    if defaults and _contradicts(merged) and not _contradicts(given):
        rivals = {RIVALS.get(name) for name in given} - given.keys()
        merged = {name: value for name, value in merged.items() if name not in rivals}
    return merged


def with_enrich_defaults(caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's options for enrichment, with the key's profiles and instruction if it has neither."""
    defaults = caller.key.defaults.enrich if caller.key else {}
    asks = any(given.get(name) for name in ("profiles", "instruction"))
    kept = {name: value for name, value in defaults.items() if name == "language" or not asks}
    return {**kept, **{name: value for name, value in given.items() if value}}


def _contradicts(options: Mapping[str, Any]) -> bool:
    try:
        return bool(TranscribeOptions.model_validate(options, context=AS_TEXT).contradictions)
    except ValueError:
        return False  # said where the request's options are validated
