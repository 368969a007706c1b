"""Examples of answers from the archive: the job of ``examples``, listed and found."""

from typing import Any, Final

from producers.gateway.documentation.examples import JOB_ID, SECONDS, TEXT

SUMMARY: Final[dict[str, Any]] = {
    "job_id": JOB_ID,
    "name": "call.wav",
    "tenant": "default",
    "phase": "completed",
    "stage": "transcriber",
    "fraction": 1.0,
    "status": "completed",
    "language": "en",
    "model": "large-v3-turbo",
    "created_at": "2026-11-22T09:00:00Z",
    "updated_at": "2026-11-22T09:00:04Z",
    "finished_at": "2026-11-22T09:00:04Z",
    "audio_duration_seconds": SECONDS,
    "flags": [],
    "failure": None,
    "text_preview": TEXT,
    "enrichment_count": 0,
    "reused": False,
    "metadata": {"call": "7"},
}
_CURSOR: Final = "AAABjTWDZOAY01g2Tg5xPvONywbA9VBE"
_HIT: Final = {
    "segment": 0,
    "start": 0.0,
    "end": SECONDS,
    "text": TEXT,
    "highlights": [[4, 7]],
    "channel": None,
    "url": f"/#/jobs/{JOB_ID}?t=0",
}
JOBS: Final[dict[str, Any]] = {"success": True, "jobs": [SUMMARY], "next": _CURSOR}
SEARCH: Final[dict[str, Any]] = {
    "success": True,
    "query": "two",
    "results": [{"job": SUMMARY, "hits": [_HIT], "hit_count": 1}],
    "next": None,
}
USAGE: Final[dict[str, Any]] = {
    "success": True,
    "by": "day",
    "rows": [
        {
            "key": "2026-11-22",
            "jobs": 12,
            "failed": 1,
            "audio_seconds": 5400.0,
            "speech_seconds": 4210.5,
            "processing_seconds": 96.2,
        }
    ],
}
