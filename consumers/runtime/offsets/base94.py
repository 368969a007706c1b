"""Bytes as printable ASCII without the space: 94 characters, 11 for every 9 bytes.

94**11 is just above 256**9, so a character carries 6.545 of its 6.555 possible bits (base 85: 6.400). That is what
makes the gap map of 26,000 records fit into the metadata that a broker accepts.
"""

from typing import Final

ALPHABET: Final = "".join(map(chr, range(33, 127)))
CHUNK_BYTES: Final = 9
CHUNK_CHARACTERS: Final = 11

_PAIR: Final = len(ALPHABET) ** 2
_PAIRS: Final = tuple(high + low for high in ALPHABET for low in ALPHABET)
_DIGITS: Final = {character: digit for digit, character in enumerate(ALPHABET)}
# Characters of a last, shorter chunk, by its number of bytes: the fewest that can hold its value.
_TAIL_CHARACTERS: Final = (0, 2, 3, 4, 5, 7, 8, 9, 10, CHUNK_CHARACTERS)
_TAIL_BYTES: Final = {characters: size for size, characters in enumerate(_TAIL_CHARACTERS)}


def encode(payload: bytes) -> str:
    """Encode ``payload``. The text's length depends on the payload's length alone."""
    chunks = (payload[start : start + CHUNK_BYTES] for start in range(0, len(payload), CHUNK_BYTES))
    return "".join(_encode_chunk(chunk) for chunk in chunks)


def decode(text: str) -> bytes:
    """Decode ``text``. Raises ValueError for what ``encode`` cannot have written."""
    chunks = (text[start : start + CHUNK_CHARACTERS] for start in range(0, len(text), CHUNK_CHARACTERS))
    return b"".join(map(_decode_chunk, chunks))


def _encode_chunk(chunk: bytes) -> str:
    characters = _TAIL_CHARACTERS[len(chunk)]
    value = int.from_bytes(chunk, "big")
    pairs = []
    for _ in range((characters + 1) // 2):
        value, pair = divmod(value, _PAIR)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs)[-characters:]


def _decode_chunk(chunk: str) -> bytes:
    size = _TAIL_BYTES.get(len(chunk))
    if size is None:
        raise ValueError(f"no number of bytes is written as {len(chunk)} characters")
    value = 0
    for character in chunk:
        digit = _DIGITS.get(character)
        if digit is None:
            raise ValueError(f"{character!r} is not a digit of base 94")
        value = value * len(ALPHABET) + digit
    if value >> (8 * size):
        raise ValueError(f"{chunk!r} is larger than any {size} bytes")
    return value.to_bytes(size, "big")
