"""The partition of a key, as the producers' client chooses it. Pure."""

from typing import Final

MURMUR2: Final = frozenset({"murmur2", "murmur2_random"})
"""Partitioners of librdkafka that choose as the Java clients do. Ours is ``murmur2_random``."""

_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key: murmur2 as Kafka's default partitioner computes it."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(key: bytes) -> int:
    digest = _SEED ^ len(key)
    whole = len(key) - len(key) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _FACTOR & _WORD
        word = (word ^ word >> 24) * _FACTOR & _WORD
        digest = digest * _FACTOR & _WORD ^ word
    if rest := key[whole:]:
        digest = (digest ^ int.from_bytes(rest, "little")) * _FACTOR & _WORD
    digest = (digest ^ digest >> 13) * _FACTOR & _WORD
    return digest ^ digest >> 15
