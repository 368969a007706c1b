"""The gap map: the complete offsets beyond the committed one, as text in the commit's metadata.

A broker keeps 4,095 characters of metadata beside every committed offset. With the gap map in it, one commit
states two things: everything below the offset is complete, and so are these offsets beyond it. A successor that
reads it repeats no completed work.

The text is a magic prefix with the version, one letter for the layout, and base 94 of the payload and its CRC-32.
The CRC covers the committed offset too, so a map beside any other offset is rejected. The shortest layout is used:

- ``b``: one bit per offset, but runs of 128 and more equal bits as a count. Bounds the worst case.
- ``r``: counts only, alternating between incomplete and complete offsets. For few gaps in a wide window.
- ``B`` and ``R``: the same, deflated. For regular patterns.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from consumers.runtime.offsets import base94

Ranges = Sequence[tuple[int, int]]
"""Offsets as ascending half-open ranges ``(first, after_last)`` that neither overlap nor touch each other."""

METADATA_CHARACTERS_LIMIT: Final = 4_000
"""A broker accepts 4,095 characters (``offset.metadata.max.bytes`` of 4,096); the rest is reserve."""

MAGIC: Final = "kascribe1"

LONG_RUN_OFFSETS: Final = 128
"""From this length on a run of equal bits is written as a count, which with its overhead is at most 128 bits."""

_CRC_BYTES: Final = 4
# Deflate expands up to a thousandfold; no map that we write is larger than this before it is deflated.
_INFLATED_BYTES_LIMIT: Final = 16 * 1024
# Deflating fewer bytes than this has never saved one.
_DEFLATE_FROM_BYTES: Final = 24


def encode(offset: int, complete: Ranges, *, characters_limit: int = METADATA_CHARACTERS_LIMIT) -> str:
    """Encode the map for a commit of ``offset``; ``complete`` are offsets from it on. Empty if there are none.

    Never longer than the limit: what does not fit is left off from the end, which is safe: those offsets are only
    done again after a crash. ``body_bytes_limit`` returns what always fits.
    """
    kept = complete
    while kept:
        text = _encode(offset, kept)
        if len(text) <= characters_limit:
            return text
        kept = kept[: min(len(kept) - 1, len(kept) * characters_limit // len(text))]
    return ""


def decode(offset: int, metadata: str | None) -> Ranges:
    """Decode the complete offsets in a commit of ``offset``; none if its metadata is not a gap map of ours.

    Never raises: metadata of other programs, metadata of later versions and damaged metadata all mean "nothing
    known".
    """
    layout = (metadata or "")[len(MAGIC) : len(MAGIC) + 1]
    if not metadata or not metadata.startswith(MAGIC) or layout not in _READERS:
        return ()
    try:
        payload = base94.decode(metadata[len(MAGIC) + 1 :])
        body, crc = payload[:-_CRC_BYTES], payload[-_CRC_BYTES:]
        if crc != _crc(layout, offset, body):
            return ()
        return tuple(_ranges(offset, _READERS[layout](_inflate(body) if layout.isupper() else body)))
    except (ValueError, zlib.error):
        return ()


def body_bytes_limit(characters_limit: int) -> int:
    """Return how many bytes of a layout always fit. 4,000 characters hold 26,000 bits and their overhead."""
    return (characters_limit - len(MAGIC) - 1) * base94.CHUNK_BYTES // base94.CHUNK_CHARACTERS - _CRC_BYTES - 1


def _encode(offset: int, complete: Ranges) -> str:
    runs = list(_runs(offset, complete))
    bodies = {"b": _write_bits(runs)}
    # A run takes at least one byte: with as many runs as the bits layout has bytes, that one is no longer.
    if len(runs) < len(bodies["b"]):
        bodies["r"] = _write_runs(runs)
    for layout, body in tuple(bodies.items()):
        if _DEFLATE_FROM_BYTES <= len(body) <= _INFLATED_BYTES_LIMIT:
            bodies[layout.upper()] = _deflate(body)
    layout, body = min(bodies.items(), key=lambda item: len(item[1]))
    return MAGIC + layout + base94.encode(body + _crc(layout, offset, body))


def _runs(offset: int, complete: Ranges) -> Iterator[int]:
    """Yield run lengths, alternately incomplete (only the first may be 0) and complete; the last is complete."""
    end = offset
    for first, after_last in complete:
        yield first - end
        yield after_last - first
        end = after_last


def _ranges(offset: int, runs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Invert ``_runs``; ranges that touch become one."""
    first, end = offset, offset
    for index, length in enumerate(runs):
        if length and index % 2 == 0:
            if first < end:
                yield first, end
            first = end + length
        end += length
    if first < end:
        yield first, end


def _write_bits(runs: Sequence[int]) -> bytes:
    """Write stretches of single bits, each after its count, and a long run's length between two of them."""
    written = bytearray()
    bits: list[str] = []
    for index, length in enumerate(runs):
        if length < LONG_RUN_OFFSETS:
            bits.append("01"[index % 2] * length)
            continue
        _write_stretch(written, "".join(bits))
        _write_number(written, length << 1 | index % 2)
        bits.clear()
    _write_stretch(written, "".join(bits))
    return bytes(written)


def _write_stretch(written: bytearray, bits: str) -> None:
    _write_number(written, len(bits))
    if bits:
        written += int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little")


def _read_bits(body: bytes) -> Sequence[int]:
    runs = [0]
    at = 0
    while True:
        bits, at = _read_stretch(body, at)
        for bit, equal in groupby(bits):
            _extend(runs, int(bit), sum(1 for _ in equal))
        if at == len(body):
            return runs
        number, at = _read_number(body, at)
        _extend(runs, number & 1, number >> 1)


def _read_stretch(body: bytes, at: int) -> tuple[str, int]:
    count, at = _read_number(body, at)
    end = at + (count + 7) // 8
    if len(body) < end:
        raise ValueError("a stretch of bits is cut off")
    bits = f"{int.from_bytes(body[at:end], 'little'):0{count}b}" if count else ""
    return bits[::-1][:count], end


def _extend(runs: list[int], bit: int, length: int) -> None:
    """Append equal bits to runs, which alternate between zeros and ones, zeros first."""
    if bit == (len(runs) - 1) % 2:
        runs[-1] += length
    else:
        runs.append(length)


def _write_runs(runs: Sequence[int]) -> bytes:
    written = bytearray()
    for length in runs:
        _write_number(written, length)
    return bytes(written)


def _read_runs(body: bytes) -> Sequence[int]:
    runs: list[int] = []
    at = 0
    while at < len(body):
        length, at = _read_number(body, at)
        runs.append(length)
    return runs


_READERS: Final = {"b": _read_bits, "r": _read_runs, "B": _read_bits, "R": _read_runs}


def _write_number(written: bytearray, number: int) -> None:
    """Write seven bits a byte, lowest first; the top bit is set on all bytes but the last."""
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)


def _read_number(body: bytes, at: int) -> tuple[int, int]:
    number = 0
    for index in range(at, min(len(body), at + 10)):
        number |= (body[index] & 0x7F) << 7 * (index - at)
        if body[index] <= 0x7F:
            return number, index + 1
    raise ValueError("a number is cut off or longer than any offset")


def _deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(level=6, wbits=-15)
    return compressor.compress(body) + compressor.flush()


def _inflate(body: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=-15)
    inflated = decompressor.decompress(body, _INFLATED_BYTES_LIMIT)
    if not decompressor.eof:
        raise ValueError("the deflated body is cut off, or larger than any that we write")
    return inflated


def _crc(layout: str, offset: int, body: bytes) -> bytes:
    seed = zlib.crc32(f"{layout}{offset}:".encode())
    return zlib.crc32(body, seed).to_bytes(_CRC_BYTES, "big")
