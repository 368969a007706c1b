"""Signs that media is encrypted, for the message of a refusal."""

import math
from collections import Counter
from typing import BinaryIO, Final

HEAD_BYTES: Final = 1024**2
"""Beginning of the file that is examined: it holds the headers, and enough packets of a broadcast."""
_SIGNS: Final = (
    (b"ftyp", b"enca"), (b"ftyp", b"drms"), (b"ftyp", b"aavd"), (b"ftyp", b"sinf"),
    (b"\x1a\x45\xdf\xa3", b"\x47\xe1"),  # Matroska: ContentEncAlgo
    (b"\x30\x26\xb2\x75", bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")),  # ASF: content encryption
    (b"\x30\x26\xb2\x75", bytes.fromhex("298ae6142622174cb935dae07ee9289c")),  # ASF: extended content encryption
    (b"#EXTM3U", b"#EXT-X-KEY"),
)  # fmt: skip
"""First bytes of a file (MP4: from its fifth byte), and the bytes that an encrypted one has in its head."""
_TS_BYTES: Final = 188
_TS_SYNC: Final = 0x47
_TS_SCRAMBLED: Final = 0xC0
_CIPHER_BLOCK_BYTES: Final = 16
_RANDOM_BITS_PER_BYTE: Final = 7.8
"""Entropy of four kilobytes. Compressed sound mostly stays below it (headers repeat), ciphertext never does."""
_SAMPLE_BYTES: Final = 4096

ADVICE: Final = "it is encrypted: decrypt it before you submit it"
SUSPICION: Final = "if it is encrypted, as segments of protected streams are, decrypt it before you submit it"


def advice(file: BinaryIO) -> str | None:
    """Return the end of a message for a file that cannot be decoded; None without signs of encryption."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    marked = any(head[:12].find(begin) in (0, 4) and sign in head for begin, sign in _SIGNS)
    if marked or _is_scrambled(head):
        return ADVICE
    size_bytes = file.seek(0, 2)
    if size_bytes % _CIPHER_BLOCK_BYTES == 0 and _is_random(head[:_SAMPLE_BYTES]):
        return SUSPICION
    return None


def _is_scrambled(head: bytes) -> bool:
    packets = [head[at : at + 4] for at in range(0, len(head) - 4, _TS_BYTES)]
    if len(packets) < 3 or any(packet[0] != _TS_SYNC for packet in packets):
        return False
    return sum(bool(packet[3] & _TS_SCRAMBLED) for packet in packets) > len(packets) / 2


def _is_random(sample: bytes) -> bool:
    if len(sample) < _SAMPLE_BYTES:
        return False
    counts = Counter(sample).values()
    bits = -sum(count / len(sample) * math.log2(count / len(sample)) for count in counts)
    return bits > _RANDOM_BITS_PER_BYTE
