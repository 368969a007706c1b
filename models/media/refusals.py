"""Errors of a file, from the answers of the child that refused it."""

from typing import Final

from models.media.messages import DecodeRefused
from models.media.spool import FeatureSpool
from schemas.errors import (
    AudioEmpty,
    AudioTooLarge,
    AudioTooLong,
    AudioUndecodable,
    DecoderCrashed,
    InvalidOptions,
    JobError,
    PermanentError,
    Reason,
)

_REFUSALS: Final[dict[Reason, type[PermanentError]]] = {
    kind.reason: kind for kind in (AudioEmpty, AudioTooLarge, AudioTooLong, AudioUndecodable, InvalidOptions)
}
"""Errors of the media, by reason. Any other reason is the decoder's own failure and is handled like a crash."""


def refusal_error(reply: DecodeRefused, spool: FeatureSpool) -> JobError:
    """Return the error of the record whose features belong in this spool."""
    if reply.reason is Reason.DEPENDENCY_DOWN:
        return spool.full_error(reply.needed_bytes)
    return _REFUSALS.get(reply.reason, DecoderCrashed)(reply.message)
