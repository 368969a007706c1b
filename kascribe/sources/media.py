"""Whether a file looks like audio or video: by its name, otherwise by its first bytes."""

from pathlib import Path
from typing import Final

MEDIA_SUFFIXES: Final = frozenset(
    {
        ".3g2", ".3gp", ".aac", ".ac3", ".adts", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".avi",
        ".caf", ".dts", ".eac3", ".flac", ".flv", ".gsm", ".m2ts", ".m4a", ".m4b", ".m4v", ".mka", ".mkv",
        ".mov", ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".oga", ".ogg", ".ogv", ".opus",
        ".snd", ".spx", ".vob", ".wav", ".weba", ".webm", ".wma", ".wmv", ".wv",
    }
)  # fmt: skip
"""Not ``.ts``, which is more often a program's source: its bytes decide."""

SNIFFED_BYTES: Final = 400
_TRANSPORT_PACKET_BYTES: Final = 188

_BEGINNINGS: Final = (
    b"ID3",
    b"fLaC",
    b"OggS",
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"#!AMR",
    b"caff",
    b".snd",
    b"wvpk",
    b"MAC ",
    b"FLV\x01",
    b"0&\xb2u\x8ef\xcf\x11",  # ASF: WMA, WMV
    b"\x00\x00\x01\xba",  # MPEG program stream
)
_RIFF_KINDS: Final = (b"WAVE", b"AVI ")
_FORM_KINDS: Final = (b"AIFF", b"AIFC")
_MPEG_AUDIO: Final = frozenset({0xF1, 0xF2, 0xF3, 0xF9, 0xFA, 0xFB})
"""The second byte of a frame of MP3 or of AAC in ADTS; the first is 0xFF."""


def is_media_name(name: str) -> bool:
    """Return whether a name ends as those of audio and video do."""
    return Path(name).suffix.lower() in MEDIA_SUFFIXES


def is_media(path: Path) -> bool:
    """Return whether a file looks like audio or video. Reads at most SNIFFED_BYTES. Raises OSError."""
    if is_media_name(path.name):
        return True
    with path.open("rb") as file:
        return are_media_bytes(file.read(SNIFFED_BYTES))


def are_media_bytes(first: bytes) -> bool:
    """Return whether a file that begins so is of a common container or codec."""
    if first.startswith(_BEGINNINGS) or first[4:8] == b"ftyp":
        return True
    if first[:4] in (b"RIFF", b"RF64"):
        return first[8:12] in _RIFF_KINDS
    if first[:4] == b"FORM":
        return first[8:12] in _FORM_KINDS
    if len(first) > _TRANSPORT_PACKET_BYTES and first[0] == first[_TRANSPORT_PACKET_BYTES] == 0x47:
        return True
    return len(first) > 1 and first[0] == 0xFF and first[1] in _MPEG_AUDIO
