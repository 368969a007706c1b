"""The section of the reconciler."""

from pydantic import Field

from schemas.settings.types import BucketName, Seconds, Section


class ReconcilerSettings(Section):
    """The search for dropped objects that no notification announced: `kascribe reconcile`."""

    buckets: tuple[BucketName, ...] = Field(
        default=(), description="Buckets that are searched; empty: all that references may name."
    )
    interval_seconds: Seconds = Field(default=600.0, description="From the end of one run to the next.")
    min_age_seconds: float = Field(
        default=600.0, ge=0, description="Younger objects are left to their notifications."
    )
