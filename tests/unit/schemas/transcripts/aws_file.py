"""The shape of Amazon Transcribe's result file, as a JSON Schema made from the examples of its Developer Guide."""

from typing import Any, Final

TIME: Final = {"type": "string", "pattern": r"^\d+\.\d+$"}
LABEL: Final = {"type": "string", "pattern": r"^ch_\d+$"}
IDS: Final = {"type": "array", "items": {"type": "integer", "minimum": 0}}


def _object(required: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "additionalProperties": False,
        "properties": properties,
    }


ALTERNATIVES: Final = {
    "type": "array",
    "minItems": 1,
    "items": _object("confidence content", {"confidence": TIME, "content": {"type": "string", "minLength": 1}}),
}
ITEM: Final = {
    "oneOf": [
        _object(
            "id type alternatives start_time end_time",
            {
                "id": {"type": "integer"},
                "type": {"const": "pronunciation"},
                "alternatives": ALTERNATIVES,
                "start_time": TIME,
                "end_time": TIME,
                "channel_label": LABEL,
            },
        ),
        _object(
            "id type alternatives",
            {
                "id": {"type": "integer"},
                "type": {"const": "punctuation"},
                "alternatives": ALTERNATIVES,
                "channel_label": LABEL,
            },
        ),
    ]
}
AUDIO_SEGMENT: Final = _object(
    "id transcript start_time end_time items",
    {
        "id": {"type": "integer"},
        "transcript": {"type": "string"},
        "start_time": TIME,
        "end_time": TIME,
        "channel_label": LABEL,
        "items": IDS,
    },
)
CHANNEL: Final = _object("channel_label items", {"channel_label": LABEL, "items": {"items": ITEM}})
AWS_FILE: Final = _object(
    "jobName accountId status results",
    {
        "jobName": {"type": "string", "pattern": "^[0-9a-zA-Z._-]+$"},
        "accountId": {"type": "string"},
        "status": {"type": "string"},
        "results": _object(
            "transcripts items audio_segments",
            {
                "transcripts": {"items": _object("transcript", {"transcript": {"type": "string"}})},
                "items": {"items": ITEM},
                "audio_segments": {"items": AUDIO_SEGMENT},
                "language_code": {"type": "string"},
                "language_identification": {
                    "items": _object("score code", {"score": TIME, "code": {"type": "string"}})
                },
                "channel_labels": _object(
                    "channels number_of_channels",
                    {"channels": {"items": CHANNEL}, "number_of_channels": {"type": "integer"}},
                ),
            },
        ),
    },
)
"""The shape of the examples in the Amazon Transcribe Developer Guide; AWS publishes no schema of the file."""
