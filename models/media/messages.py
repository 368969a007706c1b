"""Messages between parent and decoding child: JSON in frames, never pickles.

A child that hostile media has taken over can then send wrong numbers, but no objects.
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from models.media.sandbox.report import SandboxReport
from models.media.speech.windows import WINDOW_FRAMES, Span, Window
from schemas.errors import Reason
from schemas.options.types import VadParameters

FRAME_BYTES_LIMIT: Final = 1024**2
"""Far above the size of any message; a longer frame means that the child is broken."""
REQUEST_BYTES_LIMIT: Final = 64 * 1024
"""Far above the size of any request."""
_LENGTH: Final = struct.Struct(">I")


class Message(BaseModel):
    """Base of the messages."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DecodeRequest(Message):
    """Request of the parent to decode one file into one spool. One is in progress at a time.

    Both files come with it as open descriptors, since the child opens none: see ``send_request``.
    """

    split: bool
    track: int | None = None
    vad: bool
    vad_parameters: VadParameters = VadParameters()
    mel_bands: int
    audio_limit_seconds: float
    spool_limit_bytes: int


class ChildReady(Message):
    """The child has started; its first message."""

    kind: Literal["ready"] = "ready"
    sandbox: SandboxReport


class SoundTrack(Message):
    """An audio track of the file, as ``tracks.Track``."""

    codec: str | None
    channel_count: int
    sample_rate_hertz: int
    language: str | None
    title: str | None


class ContainerOpened(Message):
    """The container was read. ``declared_seconds`` is the length it declares, ``is_exact`` false for an estimate.

    ``track`` is the index of the track that is decoded.
    """

    kind: Literal["opened"] = "opened"
    container: str
    codec: str
    channel_count: int
    sample_rate_hertz: int
    declared_seconds: float | None
    is_exact: bool = False
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
        """Return the window that the message describes."""
        spans = tuple(Span(start, end) for start, end in self.spans)
        return Window(channel=self.channel, spans=spans, frames=self.frames, offset_bytes=self.offset_bytes)


class DecodeProgress(Message):
    """The position that decoding has reached. Also a heartbeat: silence for too long counts as a hang."""

    kind: Literal["advanced"] = "advanced"
    decoded_seconds: float


class DecodeFinished(Message):
    """All windows were sent. ``audio_seconds`` alone includes silence inserted where no sound was decoded.

    ``incomplete``: a loss of audio was detected.
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


class DecodeRefused(Message):
    """The media cannot be decoded; or, by its reason, the local disk or the decoder itself failed."""

    kind: Literal["refused"] = "refused"
    reason: Reason
    message: str
    needed_bytes: int = Field(
        default=0, ge=0, description="Estimated spool size, when the disk had no room for it."
    )


Reply = ChildReady | ContainerOpened | WindowReady | DecodeProgress | DecodeFinished | DecodeRefused
_REPLY: Final[TypeAdapter[Reply]] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])


def send_request(connection: socket.socket, request: DecodeRequest, recording: int, spool: int) -> None:
    """Send a request with its two descriptors as one packet (SOCK_SEQPACKET). Raises OSError.

    A request is shorter than a socket's buffer, so this does not block on a child that hangs.
    """
    socket.send_fds(connection, [request.model_dump_json().encode()], [recording, spool])


def receive_request(connection: socket.socket) -> tuple[DecodeRequest, int, int] | None:
    """Return the next request with the descriptors of recording and spool; None when the parent sends no more.

    Blocks. The caller closes the descriptors. Raises OSError, and ValueError where a packet has no descriptors.
    """
    body, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES_LIMIT, 2)
    if not body:
        return None
    try:
        recording, spool = descriptors
    except ValueError:
        for each in descriptors:
            os.close(each)
        raise
    return DecodeRequest.model_validate_json(body), recording, spool


def encode(message: Message) -> bytes:
    """Encode a message as one frame: the length as four bytes, then JSON."""
    body = message.model_dump_json().encode()
    return _LENGTH.pack(len(body)) + body


class ReplyParser:
    """Incremental parser of reply frames. Raises ValueError for bytes that no intact child sends."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> Iterator[Reply]:
        """Yield the messages that are complete with these bytes."""
        self._buffer += received
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > FRAME_BYTES_LIMIT:
                raise ValueError(f"a frame of {length} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield _REPLY.validate_json(body)
