"""How much each API key has used in a day: one small object for each gateway, which alone writes it."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from pydantic import ValidationError

from producers.s3 import JsonObjects, create_client
from schemas.results import ResultKeys
from schemas.settings import S3Settings
from schemas.transcripts.transcript import Contract

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Usage(Contract):
    """What one gateway counted for one key in one day: requests, and the bytes of their bodies."""

    schema_version: str = "1.0"
    requests: int = 0
    body_bytes: int = 0


class UsageStore:
    """The usage objects. Safe to share between threads; every method blocks.

    Raises DependencyDown("s3") when the store does not serve.
    """

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        bucket = settings.results_bucket or settings.bucket
        self._objects = JsonObjects(client or create_client(settings), bucket)
        self._keys = ResultKeys(settings.results_prefix)

    def put(self, key_id: str, day: date, gateway: str, usage: Usage) -> None:
        """Store what a gateway has counted so far; safe to repeat."""
        name = self._keys.usage(key_id, day.isoformat(), gateway)
        self._objects.put(name, usage.model_dump_json().encode())

    def of_others(self, key_id: str, day: date, gateway: str) -> Usage:
        """Return what all other gateways have counted, and this one before it started again."""
        own = self._keys.usage(key_id, day.isoformat(), gateway)
        names = self._objects.keys(self._keys.usage_of(key_id, day.isoformat()))
        read = list(self._read(name for name in names if name != own))
        return Usage(
            requests=sum(usage.requests for usage in read), body_bytes=sum(usage.body_bytes for usage in read)
        )

    def forget_before(self, key_id: str, day: date) -> None:
        """Delete what was counted for a key before a day; safe to repeat."""
        for name in self._objects.keys(self._keys.usage_of(key_id)):
            if _day_of(name) < day:
                self._objects.delete(name)

    def last_day(self, key_id: str) -> date | None:
        """Return the last day on which a key was used; None when it never was."""
        names = self._objects.keys(self._keys.usage_of(key_id))
        return max(map(_day_of, names), default=None)

    def _read(self, names: Iterator[str]) -> Iterator[Usage]:
        for name in names:
            body = self._objects.read(name)
            try:
                yield Usage.model_validate_json(body or b"{}")
            except ValidationError:
                yield Usage()


def _day_of(name: str) -> date:
    return date.fromisoformat(name.split("/")[-2])
