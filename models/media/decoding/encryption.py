"""Signs that media is encrypted, so that a refusal can say so. Runs in a child only."""

import math
from collections import Counter
from typing import BinaryIO

HEAD_BYTES = 1024**2
"""Where headers are, and enough packets of a broadcast."""
TAGS = frozenset({"enca", "encv", "drms", "drmi", "aavd"})
"""Names that MP4 gives to a track whose samples are encrypted: CENC, iTunes and Audible."""
_SIGNS = (
    (b"ftyp", b"enca"), (b"ftyp", b"drms"), (b"ftyp", b"aavd"), (b"ftyp", b"sinf"),
    (b"\x1a\x45\xdf\xa3", b"\x47\xe1"),  # Matroska: ContentEncAlgo
    (b"\x30\x26\xb2\x75", bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")),  # ASF: content encryption
    (b"\x30\x26\xb2\x75", bytes.fromhex("298ae6142622174cb935dae07ee9289c")),  # ASF: extended content encryption
    (b"#EXTM3U", b"#EXT-X-KEY"),
)  # fmt: skip
"""What a file begins with (MP4: from its fifth byte), and what an encrypted one has in its head."""
_TS_BYTES = 188
_TS_SYNC = 0x47
_TS_SCRAMBLED = 0xC0
_CIPHER_BLOCK_BYTES = 16
_RANDOM_BITS_PER_BYTE = 7.8
"""Of four kilobytes: compressed sound has headers that repeat and stays below in most, ciphertext never does."""
_SAMPLE_BYTES = 4096

ADVICE = "it is encrypted: decrypt it before you submit it"
SUSPICION = "if it is encrypted, as segments of protected streams are, decrypt it before you submit it"


def advice(file: BinaryIO) -> str | None:
    """A half sentence for a file that cannot be decoded, where there are signs of encryption."""
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
