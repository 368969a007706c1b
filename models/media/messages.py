"""What parent and decoding child say to each other: JSON in frames, never pickles.

A child that hostile media has taken over can then send wrong numbers, but no objects.
"""

import struct
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from models.media.speech.windows import WINDOW_FRAMES, Span, Window
from schemas.errors import Reason

FRAME_BYTES_LIMIT = 1024**2
"""Far above any message of ours; a longer frame is a broken child."""
_LENGTH = struct.Struct(">I")


class Message(BaseModel):
    """Parent of the messages."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(Message):
    """Decode this file into that spool. Sent by the parent, one at a time.

    Paths are bytes, as ``os.fsencode`` gives them: not every name of a file is UTF-8.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    path: bytes
    spool_path: bytes
    split: bool
    track: int | None = None
    vad: bool
    mel_bands: int
    audio_limit_seconds: float
    spool_limit_bytes: int


class Ready(Message):
    """The child has started; the first thing that it says."""

    kind: Literal["ready"] = "ready"


class SoundTrack(Message):
    """A sound track of the file, as ``tracks.Track``."""

    codec: str | None
    channel_count: int
    sample_rate_hertz: int
    language: str | None
    title: str | None


class Opened(Message):
    """The container was read; ``declared_seconds`` is what it claims, ``promised`` whether it knows.

    ``track`` is heard; it counts ``tracks`` from 0.
    """

    kind: Literal["opened"] = "opened"
    container: str
    codec: str
    channel_count: int
    sample_rate_hertz: int
    declared_seconds: float | None
    promised: bool = False
    track: int = 0
    tracks: tuple[SoundTrack, ...] = ()


class WindowReady(Message):
    """The features of a window are in the spool, ``frames`` x mel bands float32 from ``offset_bytes``."""

    kind: Literal["window"] = "window"
    channel: int | None
    spans: tuple[tuple[int, int], ...] = Field(min_length=1)
    frames: int = Field(gt=0, le=WINDOW_FRAMES)
    offset_bytes: int = Field(ge=0)

    def window(self) -> Window:
        """The same as a value of ours."""
        spans = tuple(Span(start, end) for start, end in self.spans)
        return Window(channel=self.channel, spans=spans, frames=self.frames, offset_bytes=self.offset_bytes)


class Advanced(Message):
    """Audio up to here is decoded: a sign of life."""

    kind: Literal["advanced"] = "advanced"
    decoded_seconds: float


class Finished(Message):
    """All windows were sent. Silence put where nothing came counts in ``audio_seconds`` alone.

    ``incomplete``: sound was lost, as far as can be told.
    """

    kind: Literal["finished"] = "finished"
    audio_seconds: float
    decoded_seconds: float = 0.0
    broken_packets: int = 0
    incomplete: bool = False
    speech_seconds: float
    decode_seconds: float
    vad_seconds: float
    features_seconds: float
    downmix_replaced: bool = False


class Refused(Message):
    """The media is at fault; or, with a reason that says so, the local disk or the decoder itself."""

    kind: Literal["refused"] = "refused"
    reason: Reason
    message: str
    needed_bytes: int = Field(
        default=0, ge=0, description="Of spool, as far as can be told, where it found no room."
    )


Reply = Ready | Opened | WindowReady | Advanced | Finished | Refused
_REPLY: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])


def encode(message: Message) -> bytes:
    """One frame: the length as four bytes, then JSON."""
    body = message.model_dump_json().encode()
    return _LENGTH.pack(len(body)) + body


class ReplyParser:
    """Frames out of bytes as they arrive. Raises ValueError for what no sound child sends."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, received: bytes) -> Iterator[Reply]:
        """The messages that are complete now."""
        self._held += received
        while len(self._held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held)
            if length > FRAME_BYTES_LIMIT:
                raise ValueError(f"a frame of {length} bytes")
            end = _LENGTH.size + length
            if len(self._held) < end:
                return
            body = bytes(self._held[_LENGTH.size : end])
            del self._held[:end]
            yield _REPLY.validate_json(body)
