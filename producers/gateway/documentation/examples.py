"""Examples of answers that several routes share: one short recording, and its job."""

from typing import Any, Final

JOB_ID: Final = "6a9c6a2b7d4f4b1e8f0d2c3b4a5e6f70"
TEXT: Final = "one two three"
SECONDS: Final = 1.5

TRANSCRIBED: Final[dict[str, Any]] = {
    "success": True,
    "text": TEXT,
    "language": "en",
    "job_id": JOB_ID,
    "flags": [],
}
PROCESSED: Final[dict[str, Any]] = {
    **TRANSCRIBED,
    "processed_text": "It counts to three.",
    "profiles": {"summary": {"summary": "Three numbers."}, "key_points": None},
    "truncated": False,
    "coverage": 1.0,
    "details": {
        "instruction": {"truncated": False, "coverage": 1.0, "finish_reasons": ["stop"], "doubts": []},
        "summary": {"truncated": False, "coverage": 1.0, "finish_reasons": ["stop"], "doubts": []},
        "key_points": {"truncated": False, "coverage": 1.0, "finish_reasons": ["stop"], "doubts": []},
    },
    "failures": {"key_points": {"reason": "enrichment_invalid", "message": "the answer is not JSON"}},
}
JOB: Final[dict[str, Any]] = {
    "job_id": JOB_ID,
    "idempotency_key": "call-1",
    "tenant": "default",
    "metadata": {"call": "7"},
    "phase": "completed",
    "stage": "transcriber",
    "fraction": 1.0,
    "text": TEXT,
    "language": "en",
    "accepted_at": "2026-11-22T09:00:00Z",
    "updated_at": "2026-11-22T09:00:04Z",
    "transcribed_at": "2026-11-22T09:00:04Z",
    "transcript_uri": f"s3://audio/kascribe-results/{JOB_ID}.json",
    "links": {
        "self": f"/v1/jobs/{JOB_ID}",
        "events": f"/v1/jobs/{JOB_ID}/events",
        "transcript": f"/v1/jobs/{JOB_ID}/transcript",
        "enrichments": f"/v1/jobs/{JOB_ID}/enrichments",
    },
}
_PATHS: Final = JOB["links"]
_ENRICHMENT_ID: Final = "0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f"
_TOKENS: Final = {"prompt_tokens": 120, "cached_tokens": 0, "completion_tokens": 12, "requests": 1}
ACCEPTED: Final[dict[str, Any]] = {
    "success": True,
    "job_id": JOB_ID,
    "idempotency_key": "call-1",
    "status_url": _PATHS["self"],
    "events_url": _PATHS["events"],
    "transcript_url": _PATHS["transcript"],
    "enrichments_url": _PATHS["enrichments"],
}
ENRICHING: Final[dict[str, Any]] = {
    "success": True,
    "job_id": JOB_ID,
    "enrichment_id": _ENRICHMENT_ID,
    "is_finished": False,
    "enrichments_url": _PATHS["enrichments"],
    "events_url": _PATHS["events"],
}
ENRICHMENTS: Final[dict[str, Any]] = {
    "success": True,
    "job_id": JOB_ID,
    "enrichments": [
        {
            "enrichment_id": _ENRICHMENT_ID,
            "options": {"profiles": ["summary"], "instruction": None, "language": None},
            "finished_at": "2026-11-22T09:00:09Z",
            "model": "org/chat",
            "language": "en",
            "results": [
                {
                    "profile": "summary",
                    "profile_version": "1",
                    "status": "completed",
                    "output": {"summary": "Three numbers."},
                    "citations": [0],
                    "coverage": 1.0,
                    "cited": 1.0,
                    "flags": [],
                    "truncated": False,
                    "finish_reasons": [],
                    "doubts": [],
                    "failure": None,
                    "usage": _TOKENS,
                    "seconds": 1.2,
                }
            ],
            "usage": _TOKENS,
            "total_seconds": 1.2,
        }
    ],
}
CANCELLED: Final[dict[str, Any]] = {"success": True, "job_id": JOB_ID, "status_url": _PATHS["self"]}
DELETED: Final[dict[str, Any]] = {
    "success": True,
    "job_id": JOB_ID,
    "transcript": "deleted",
    "upload": True,
    "source": "uploaded",
    "other_objects": 2,
}
MODEL: Final[dict[str, Any]] = {"id": "whisper-1", "object": "model", "created": 0, "owned_by": "kascribe"}
MODELS: Final[dict[str, Any]] = {"object": "list", "data": [MODEL]}

_USAGE: Final = {"type": "duration", "seconds": 2}
TRANSCRIPTIONS: Final[dict[str, Any]] = {
    "json": {"value": {"text": TEXT, "usage": _USAGE}},
    "verbose_json": {
        "value": {
            "task": "transcribe",
            "language": "english",
            "duration": SECONDS,
            "text": TEXT,
            "usage": _USAGE,
            "segments": [
                {
                    "id": 0,
                    "seek": 0,
                    "start": 0.0,
                    "end": SECONDS,
                    "text": TEXT,
                    "tokens": [],
                    "temperature": 0.0,
                    "avg_logprob": -0.1,
                    "compression_ratio": 0.9,
                    "no_speech_prob": 0.01,
                }
            ],
            "words": [
                {"word": "one", "start": 0.0, "end": 0.4},
                {"word": "two", "start": 0.5, "end": 0.9},
                {"word": "three", "start": 1.0, "end": 1.5},
            ],
        }
    },
}
"""By ``response_format``."""
