"""What a caller hears while a record is worked on."""

from collections.abc import Callable
from dataclasses import dataclass

from models.media.messages import Opened, SoundTrack
from models.whisper.transcription import Heard
from schemas.transcripts.joining import joined
from schemas.transcripts.transcript import AudioFacts, AudioTrack


@dataclass(frozen=True, slots=True)
class Progress:
    """``fraction`` of the audio that is heard, None while its length is not known; the text since last time."""

    fraction: float | None
    text: str


class ProgressReport:
    """Says each thing once, in the order of the audio, whatever the order in which windows are answered."""

    def __init__(self, on_progress: Callable[[Progress], None], on_audio: Callable[[AudioFacts], None]) -> None:
        self._on_progress = on_progress
        self._on_audio = on_audio
        self._told_opened = self._told_finished = False
        self._told_parts = 0
        self._fraction = 0.0

    def look(self, heard: Heard) -> None:
        """Tells what is new."""
        if heard.opened is not None and not self._told_opened:
            self._told_opened = True
            self._on_audio(audio_facts(heard, heard.opened))
        if heard.finished is not None and heard.opened is not None and not self._told_finished:
            self._told_finished = True
            self._on_audio(audio_facts(heard, heard.opened))
        first = self._told_parts
        while self._told_parts < len(heard.parts) and heard.parts[self._told_parts].done:
            self._told_parts += 1
        if self._told_parts > first:
            self._tell(heard, first)

    def _tell(self, heard: Heard, first: int) -> None:
        parts = heard.parts[first : self._told_parts]
        leaves = [leaf.heard for part in parts for leaf in part.leaves()]
        said = (leaf.decoded.text for leaf in leaves if leaf is not None and leaf.decoded is not None)
        text = joined(said)
        total_seconds = heard.opened.declared_seconds if heard.opened else None
        if heard.finished is not None:
            total_seconds = heard.finished.audio_seconds
        if not total_seconds:
            self._on_progress(Progress(None, text))
            return
        all_told = heard.finished is not None and self._told_parts == len(heard.parts)
        reached = 1.0 if all_told else max(part.window.end_seconds for part in parts) / total_seconds
        self._fraction = min(1.0, max(self._fraction, reached))
        self._on_progress(Progress(self._fraction, text))


def audio_facts(heard: Heard, opened: Opened) -> AudioFacts:
    """What the container claims, or what was found once all is decoded."""
    finished = heard.finished
    return AudioFacts(
        audio_duration_seconds=finished.audio_seconds if finished else opened.declared_seconds or 0.0,
        speech_duration_seconds=finished.speech_seconds if finished else 0.0,
        channel_count=opened.channel_count,
        sample_rate_hertz=opened.sample_rate_hertz,
        container=opened.container,
        codec=opened.codec,
        declared_duration_seconds=opened.declared_seconds if opened.promised else None,
        decoded_duration_seconds=round(finished.decoded_seconds, 4) if finished else None,
        broken_packets=finished.broken_packets if finished else 0,
        audio_track=opened.track,
        tracks=tuple(_track(index, track) for index, track in enumerate(opened.tracks)),
    )


def _track(index: int, track: SoundTrack) -> AudioTrack:
    return AudioTrack(
        index=index,
        codec=track.codec,
        channel_count=track.channel_count,
        sample_rate_hertz=track.sample_rate_hertz,
        language=track.language,
        title=track.title,
    )
