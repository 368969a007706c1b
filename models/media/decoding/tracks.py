"""The audio tracks of a file, and the selection of one."""

from dataclasses import dataclass
from typing import Any, Final

import av

from schemas.errors import AudioUndecodable, InvalidOptions

TRACKS_LIMIT: Final = 64
"""More than any recorder writes; tracks beyond it are not listed."""
NAME_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Track:
    """An audio track as the container describes it; ``codec`` is None where FFmpeg has no decoder for it."""

    codec: str | None
    channel_count: int
    sample_rate_hertz: int
    language: str | None
    title: str | None


def list_tracks(container: Any) -> tuple[Track, ...]:
    """Return all audio tracks, in the container's order."""
    return tuple(_track(stream) for stream in container.streams.audio[:TRACKS_LIMIT])


def select_stream(container: Any, track: int | None) -> Any:
    """Return the stream of a track, or of the one that FFmpeg considers best, and make FFmpeg skip all others.

    Raises AudioUndecodable for a file without audio tracks, InvalidOptions when it lacks this one.
    """
    sounds = container.streams.audio
    if not sounds:
        raise AudioUndecodable("the file has no audio stream")
    if track is not None and track >= len(sounds):
        raise InvalidOptions(
            f"audio_track {track} is not in the file, which has {len(sounds)}; they are counted from 0"
        )
    stream = _main(container) if track is None else sounds[track]
    if stream.codec_context is None:
        raise AudioUndecodable("the audio stream's codec is not known to FFmpeg")
    stream.codec_context.thread_count = 1
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all  # such as a film's pictures
    return stream


def _main(container: Any) -> Any:
    """Return the stream that FFmpeg considers best, of those that it can decode."""
    best = container.streams.best("audio")
    sounds = ([best] if best is not None else []) + list(container.streams.audio)
    return next((stream for stream in sounds if stream.codec_context is not None), sounds[0])


def _track(stream: Any) -> Track:
    codec = stream.codec_context
    language = _name(stream.metadata.get("language"))
    return Track(
        codec=codec.name if codec else None,
        channel_count=max(1, codec.channels) if codec else 0,
        sample_rate_hertz=(codec.sample_rate or 0) if codec else 0,
        language=None if language == "und" else language,
        title=_name(stream.metadata.get("title")),
    )


def _name(text: str | None) -> str | None:
    """Clean a name from the file, which is untrusted: printable characters only, limited in length."""
    cleaned = "".join(letter for letter in text or "" if letter.isprintable()).strip()
    return cleaned[:NAME_CHARACTERS] or None
