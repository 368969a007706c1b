"""State of one transcription: the results of decoder and engine so far."""

from dataclasses import dataclass, field

from models.media.messages import ContainerOpened, DecodeFinished, SoundTrack
from models.whisper.decode_unit import DecodeUnit
from models.whisper.languages.one import SpokenLanguage
from models.whisper.text.segments import WindowResult
from schemas.transcripts.transcript import AudioFacts, AudioTrack


@dataclass(slots=True)
class InferenceUsage:
    """Time and tokens that the engine spent on the record."""

    inference_seconds: float = 0.0
    alignment_seconds: float = 0.0
    decoded_tokens: int = 0


@dataclass(slots=True)
class TranscriptionState:
    """Everything known about the record so far. ``opened_at`` is monotonic; units are in order of arrival.

    ``language`` stays None where each unit has its own.
    """

    opened: ContainerOpened | None = None
    opened_at: float | None = None
    finished: DecodeFinished | None = None
    language: SpokenLanguage | None = None
    units: list[DecodeUnit] = field(default_factory=list)
    usage: InferenceUsage = field(default_factory=InferenceUsage)

    @property
    def is_complete(self) -> bool:
        """Whether the file is decoded and every unit has its result."""
        return self.finished is not None and all(unit.is_done for unit in self.units)

    def results(self) -> list[WindowResult]:
        """Return the results so far, in the order in which windows arrived."""
        return [leaf.result for unit in self.units for leaf in unit.leaves() if leaf.result is not None]


def audio_facts(state: TranscriptionState, opened: ContainerOpened) -> AudioFacts:
    """Return what the container declares, or what was found once decoding has finished."""
    finished = state.finished
    return AudioFacts(
        audio_duration_seconds=finished.audio_seconds if finished else opened.declared_seconds or 0.0,
        speech_duration_seconds=finished.speech_seconds if finished else 0.0,
        channel_count=opened.channel_count,
        sample_rate_hertz=opened.sample_rate_hertz,
        container=opened.container,
        codec=opened.codec,
        declared_duration_seconds=opened.declared_seconds if opened.is_exact else None,
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
