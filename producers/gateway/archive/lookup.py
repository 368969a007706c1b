"""The archive of the application that handles a request."""

from http import HTTPStatus

from fastapi import Request

from producers.gateway.archive.archive import Archive
from producers.gateway.failures import RequestRefused
from producers.gateway.services import services_of


def archive_of(request: Request) -> Archive:
    """Return the archive of the application that handles a request. Raises RequestRefused where there is none."""
    archive = services_of(request).archive
    if archive is None:
        raise RequestRefused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "archive_off",
            "there is no archive here: `kascribe up` has one, and elsewhere KASCRIBE_ARCHIVE_URL names its "
            "database, which `kascribe run archive` fills",
        )
    return archive
