"""The rights that an API key can grant."""

from enum import StrEnum


class Right(StrEnum):
    """What a caller may do; each route requires one."""

    TRANSCRIBE = "transcribe"
    ENRICH = "enrich"
    READ = "read"
    DELETE = "delete"
    REFERENCE = "reference"
    """Name ``s3://`` objects of the allowed buckets, which the caller did not upload."""
