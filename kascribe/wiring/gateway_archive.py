"""The wiring of the archive behind a gateway."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from kascribe.wiring.archive import opened_archive
from producers.archive.reads import ArchiveReads
from producers.gateway.archive.archive import Archive
from producers.gateway.archive.deletions import RecentDeletions
from schemas.settings import ArchiveSettings


@contextmanager
def opened_gateway_archive(settings: ArchiveSettings, deletions: RecentDeletions) -> Iterator[Archive | None]:
    """Open the archive that the gateway reads while the context lasts; None where none is configured.

    Connects when it is first asked. Raises ConfigurationError when the driver of its database is missing.
    """
    if settings.url is None:
        yield None
        return
    # One connection is left for the checks of health.
    threads = max(1, settings.connection_limit - 1)
    with opened_archive(settings) as engine, ThreadPoolExecutor(threads, "archive") as executor:
        yield Archive(ArchiveReads(engine), deletions, executor)
