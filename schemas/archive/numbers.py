"""Numbers of jobs in the archive. A larger number is a later job, also after the archive was built again."""

import hashlib
from typing import Final

TIE_BITS: Final = 20
"""Bits that tell jobs of one millisecond apart. The number stays below 2**63 until the year 2248."""


def job_number(created_at_ms: int, job_id: str) -> int:
    """Return the number that a job gets when it is first stored; the next free one where it is taken.

    It orders jobs by their first known time, so the newest are read first without sorting. It never changes.
    """
    digest = hashlib.sha256(job_id.encode()).digest()
    return (created_at_ms << TIE_BITS) | (int.from_bytes(digest[:4], "big") >> (32 - TIE_BITS))


def first_number(at_ms: int) -> int:
    """Return the smallest number of a job that was first known at this time."""
    return at_ms << TIE_BITS
