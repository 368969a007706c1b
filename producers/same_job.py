"""Whether a finished job is the one that is asked for: a key may have been used before, for something else."""

from schemas.events import TranscriptEvent
from schemas.identity import content_key
from schemas.options import TranscribeOptions
from schemas.results import ResultKeys


def is_of(event: TranscriptEvent, *, audio_sha256: str, options: TranscribeOptions) -> bool:
    """Whether a transcript is of this audio, with these options; by which name the model was asked is all one."""
    content = content_key(
        audio_sha256=audio_sha256,
        options=options.model_copy(update={"model": None}),
        model_sha256=event.provenance.model_sha256,
    )
    # The transcript is stored under what identifies it, also when another job had made it before.
    return event.transcript_uri.endswith(f"/{ResultKeys('').transcript(content)}")
