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
from schemas.kafka.deletions import DeletionEvent

_MOMENT: Final = "2026-11-22T09:00:00Z"
_EVENT: Final = {"schema_version": "1.0", "event_id": "7c9e6679", "occurred_at": _MOMENT}
_JOB: Final = {
    **_EVENT,
    "job_id": "j" * 32,
    "tenant": "team",
    "lane": "interactive",
    "metadata": {"call": "7"},
    "webhook_url": "https://hooks.example/kascribe",
}
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
        "audio_duration_seconds": 2.5,
        "options": {
            "language": "ko",
            "languages": ["en", "ko"],
            "multilingual": True,
            "task": "transcribe",
            "word_timestamps": True,
            "channels": "split",
            "initial_prompt": "안녕",
            "hotwords": "회의",
            "beam_size": 5,
            "vad": True,
            "vad_parameters": {
                "threshold": 0.6,
                "neg_threshold": 0.4,
                "min_speech_duration_ms": 100,
                "max_speech_duration_s": 20.0,
                "min_silence_duration_ms": 500,
                "speech_pad_ms": 200,
            },
            "patience": 2.0,
            "length_penalty": 1.1,
            "repetition_penalty": 1.05,
            "no_repeat_ngram_size": 12,
            "suppress_tokens": [-1, 11],
            "suppress_blank": False,
            "prefix": "네",
            "temperature": 0.0,
            "compression_ratio_threshold": 2.0,
            "log_prob_threshold": -0.8,
            "no_speech_threshold": 0.5,
            "model": "large-v3",
            "audio_track": 1,
            "exports": ["srt", "vtt"],
        },
        "enrich": _ENRICH,
        "lane": "bulk",
        "tenant": "team",
        "metadata": {"call": "7"},
        "webhook_url": "https://hooks.example/kascribe",
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
    DeletionEvent: {**_EVENT, "job_id": "j" * 32, "tenant": "team"},
    ProgressEvent: {
        **_JOB,
        "phase": "failed",
        "stage": "transcriber",
        "fraction": 0.5,
        "text": "하나",
        "text_offset": 0,
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
                "doubts": [
                    {"rule": "spoken_order", "path": "$", "detail": "하나", "segment_id": 0},
                ],
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

NOTIFICATION_EXAMPLE: Final[dict[str, Any]] = {
    "name": "MinIO",
    "summary": "As MinIO sends it, with the fields that are read. The key is percent-encoded, as S3 writes it.",
    "payload": {
        "EventName": "s3:ObjectCreated:Put",
        "Key": "audio/calls/call.wav",
        "Records": [
            {
                "eventVersion": "2.0",
                "eventSource": "minio:s3",
                "eventTime": _MOMENT,
                "eventName": "s3:ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": "audio"},
                    "object": {
                        "key": "calls%2Fcall.wav",
                        "size": 320044,
                        "eTag": "5d41402abc4b2a76b9719d911017c592",
                        "userMetadata": {"X-Amz-Meta-Language": "ko"},
                        "sequencer": "18A1B2C3D4E5F607",
                    },
                },
            }
        ],
    },
}
"""A bucket notification, for the AsyncAPI document."""
