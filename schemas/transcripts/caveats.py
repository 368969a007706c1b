"""What a person must know of a transcript that is there and may lack words. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.transcripts.transcript import QualityFlag, Transcript

SENTENCES: Final[Mapping[QualityFlag, str]] = {
    QualityFlag.AUDIO_INCOMPLETE: "parts of the sound were lost, and their words are missing: send the file "
    "again if you have it whole",
    QualityFlag.DOWNMIX_REPLACED: "mixed together, the channels lose sound: the loudest one was heard "
    "instead; channels=split hears each by itself",
}
"""By the flags that are about the sound; all others are about single windows."""


def caveats(flags: Iterable[QualityFlag]) -> tuple[QualityFlag, ...]:
    """The flags that no reader may miss."""
    return tuple(flag for flag in flags if flag in SENTENCES)


def sound_warnings(transcript: Transcript) -> list[str]:
    """One line for each of these flags, with what is known of the loss."""
    audio = transcript.audio
    lost = [f"{audio.broken_packets} broken packets"]
    if audio.decoded_duration_seconds is not None:
        lost.insert(0, f"{audio.decoded_duration_seconds:.1f} s decoded")
    if audio.declared_duration_seconds is not None:
        lost.insert(0, f"{audio.declared_duration_seconds:.1f} s declared")
    details = {QualityFlag.AUDIO_INCOMPLETE: f" ({', '.join(lost)})"}
    return [f"{flag.value}: {SENTENCES[flag]}{details.get(flag, '')}" for flag in caveats(transcript.flags)]
