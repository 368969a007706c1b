"""Diagnosis of files that cannot be decoded: errors with advice for the sender."""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from models.media.decoding import encryption
from schemas.errors import AudioEmpty, AudioUndecodable, PermanentError

HEADER_BYTES: Final = 4_096
"""A file of a known kind up to this size that has no sound is only a header."""
_KINDS: Final = {
    0: (b"RIFF", b"RF64", b"FORM", b"OggS", b"fLaC", b"FLV\x01", b"caff", b"ID3", b"#!AMR", b"\x1a\x45\xdf\xa3"),
    4: (b"ftyp",),
}
_BOX: Final = struct.Struct(">I4s")
BOXES_LIMIT: Final = 1_000


def unreadable_error(file: BinaryIO, problem: str) -> PermanentError:
    """Return the error for a file that FFmpeg cannot open; ``problem`` is FFmpeg's message."""
    file.seek(0)
    head = file.read(HEADER_BYTES + 1)
    advice = encryption.advice(file)
    if advice == encryption.ADVICE:
        return AudioUndecodable(f"the audio cannot be read: {advice}")
    if head.startswith(b"#EXTM3U"):
        return AudioUndecodable("a playlist, not audio: submit the media that it names")
    boxes = set(_boxes(file)) if head[4:8] in (b"ftyp", b"styp", b"moof", b"mdat", b"free", b"wide") else set()
    if b"moof" in boxes and b"moov" not in boxes:
        return AudioUndecodable("a fragment of an MP4 stream without its initialisation segment: join the two")
    if b"mdat" in boxes and b"moov" not in boxes:
        return AudioUndecodable("an MP4 without its index (moov): the recording or the upload was not finished")
    if len(head) <= HEADER_BYTES and any(head[at:].startswith(names) for at, names in _KINDS.items()):
        return AudioEmpty(f"a header with no sound after it: the object has {len(head):,} bytes")
    return AudioUndecodable("; ".join(filter(None, (f"not audio that FFmpeg can read: {problem}", advice))))


def no_sound_error(file: BinaryIO) -> PermanentError:
    """Return the error for a file that FFmpeg can open but that has no samples."""
    if encryption.advice(file) == encryption.ADVICE:
        return AudioUndecodable(f"the audio cannot be decoded: {encryption.ADVICE}")
    return AudioEmpty("the file has headers and no sound: its audio stream has no samples")


def undecodable_error(file: BinaryIO, broken: int, packets: int) -> PermanentError:
    """Return the error for a file of which almost nothing can be decoded."""
    if encryption.advice(file) == encryption.ADVICE:
        return AudioUndecodable(f"the audio cannot be decoded: {encryption.ADVICE}")
    return AudioUndecodable(f"{broken} of {packets} packets are broken; the file is damaged or not audio")


def _boxes(file: BinaryIO) -> Iterator[bytes]:
    size_bytes = file.seek(0, 2)
    at = 0
    for _ in range(BOXES_LIMIT):
        if at >= size_bytes:
            return
        file.seek(at)
        head = file.read(16)
        if len(head) < _BOX.size:
            return
        size, kind = _BOX.unpack_from(head)
        yield kind
        if size == 1 and len(head) == 16:
            size = struct.unpack_from(">Q", head, 8)[0]
        if size < _BOX.size:
            return
        at += size
