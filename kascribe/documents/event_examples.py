"""An event of every kind as it travels, with every field that it may have: for the contracts, and for tests."""

from typing import Any, Final

from schemas.events import (
    AudioReference,
    CancellationEvent,
    EnrichmentEvent,
    Event,
    ProgressEvent,
    TranscriptEvent,
)

_MOMENT: Final = "2026-11-22T09:00:00Z"
_EVENT: Final = {"schema_version": "1.0", "event_id": "7c9e6679", "occurred_at": _MOMENT}
_JOB: Final = {**_EVENT, "job_id": "j" * 32, "tenant": "team", "lane": "interactive", "metadata": {"call": "7"}}
_ENRICH: Final = {"profiles": ["summary", "action_items"], "instruction": "요약", "language": "ko"}
_FAILURE: Final = {"reason": "audio_empty", "message": "no samples", "attempt": 1, "dead_letter_topic": "a.dlq"}
_TOKENS: Final = {"prompt_tokens": 7, "cached_tokens": 1, "completion_tokens": 3, "requests": 1}

EXAMPLES: Final[dict[type[Event], dict[str, Any]]] = {
    AudioReference: {
        **_EVENT,
        "uri": "s3://audio/call.wav",
        "version_id": "v1",
        "etag": "e1",
        "idempotency_key": "call-1",
        "options": {
            "language": "ko",
            "task": "transcribe",
            "word_timestamps": True,
            "channels": "split",
            "initial_prompt": "안녕",
            "hotwords": "회의",
            "beam_size": 5,
            "vad": False,
            "model": "large-v3",
            "audio_track": 1,
            "exports": ["srt", "vtt"],
        },
        "enrich": _ENRICH,
        "lane": "bulk",
        "tenant": "team",
        "metadata": {"call": "7"},
    },
    TranscriptEvent: {
        **_JOB,
        "idempotency_key": "call-1",
        "reference_event_id": "7c9e6678",
        "reference_occurred_at": _MOMENT,
        "status": "completed",
        "source": {"uri": "s3://audio/call.wav", "version_id": "v1", "sha256": "0" * 64, "object_size_bytes": 9},
        "source_changed": True,
        "language": "ko",
        "language_probability": 0.9,
        "all_language_probs": [{"language": "ko", "probability": 0.9}],
        "audio_duration_seconds": 2.5,
        "speech_duration_seconds": 1.5,
        "text": "하나 둘",
        "segment_count": 1,
        "flags": ["low_confidence"],
        "transcript_uri": "s3://audio/kascribe-results/j.json",
        "exports": {"srt": "s3://audio/kascribe-results/j.srt"},
        "enrich": _ENRICH,
        "provenance": {
            "engine": "ctranslate2",
            "engine_version": "4",
            "model": "m",
            "model_sha256": "0",
            "compute_type": "int8",
            "device": "cpu",
            "options_digest": "0",
            "kascribe_version": "0",
        },
        "timing": {"queue_seconds": 0.1, "total_seconds": 1.0},
        "usage": {"audio_seconds": 2.5, "inference_seconds": 0.5, "windows": 1, "decoded_tokens": 4},
    },
    CancellationEvent: {**_EVENT, "job_id": "j" * 32, "reference_event_ids": ["7c9e6678"]},
    ProgressEvent: {
        **_JOB,
        "phase": "failed",
        "stage": "transcriber",
        "fraction": 0.5,
        "text": "하나",
        "failure": _FAILURE,
    },
    EnrichmentEvent: {
        **_JOB,
        "transcript_uri": "s3://audio/kascribe-results/j.json",
        "language": "ko",
        "model": "org/chat",
        "results": [
            {
                "profile": "summary",
                "profile_version": "1",
                "status": "completed",
                "output": {"summary": "하나", "items": [{"task": "t", "due": None}]},
                "citations": [0],
                "coverage": 1.0,
                "failure": _FAILURE,
                "usage": _TOKENS,
                "seconds": 0.5,
            }
        ],
        "results_uri": "s3://audio/kascribe-results/e.json",
        "usage": _TOKENS,
        "total_seconds": 1.0,
    },
}
