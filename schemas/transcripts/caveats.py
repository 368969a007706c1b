"""Warnings about a finished transcript that may lack words. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.transcripts.transcript import QualityFlag, Transcript

SENTENCES: Final[Mapping[QualityFlag, str]] = {
    QualityFlag.AUDIO_INCOMPLETE: "parts of the sound were lost, and their words are missing: send the file "
    "again if you have a complete one",
    QualityFlag.DOWNMIX_REPLACED: "mixed together, the channels lose sound: the loudest one was used "
    "instead; channels=split transcribes each separately",
}
"""Warnings for the flags about the whole recording; all other flags are about single windows."""


def caveats(flags: Iterable[QualityFlag]) -> tuple[QualityFlag, ...]:
    """Return the flags that every reader must see."""
    return tuple(flag for flag in flags if flag in SENTENCES)


def audio_warnings(transcript: Transcript) -> list[str]:
    """Return a line for each of these flags, with the known extent of the loss."""
    audio = transcript.audio
    lost = [f"{audio.broken_packets} broken packets"]
    if audio.decoded_duration_seconds is not None:
        lost.insert(0, f"{audio.decoded_duration_seconds:.1f} s decoded")
    if audio.declared_duration_seconds is not None:
        lost.insert(0, f"{audio.declared_duration_seconds:.1f} s declared")
    details = {QualityFlag.AUDIO_INCOMPLETE: f" ({', '.join(lost)})"}
    return [f"{flag.value}: {SENTENCES[flag]}{details.get(flag, '')}" for flag in caveats(transcript.flags)]
