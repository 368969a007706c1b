"""Whether the archive's database can be used."""

from collections.abc import Iterator

from kascribe.operations.doctor.findings import Finding, failed, ok, warning
from kascribe.operations.doctor.machine.disk import check_archive_file
from kascribe.wiring.archive import file_of, opened_archive
from producers.archive.reads import ArchiveReads
from schemas.errors import ConfigurationError, DependencyDown
from schemas.settings import ArchiveSettings
from schemas.settings.archive import ARCHIVE_URL

_UNMADE = "42P01"
"""PostgreSQL's code for a table that is absent."""


def check_archive(settings: ArchiveSettings) -> Iterator[Finding]:
    """Yield whether the database answers and has its tables."""
    if settings.url is None:
        remedy = f"set {ARCHIVE_URL}, as in sqlite:////var/lib/kascribe/archive.db"
        yield failed("database", "no address is set, so the archive does not start", remedy)
        return
    try:
        yield from _check_database(settings)
    except ConfigurationError as error:
        found, _, install = str(error).partition(": pip install ")
        yield failed("database", found, f"pip install {install}" if install else f"correct {ARCHIVE_URL}")


def _check_database(settings: ArchiveSettings) -> Iterator[Finding]:
    name, path = "database", file_of(settings)
    if path is not None:
        yield check_archive_file(path)
        if not path.exists():
            remedy = "kascribe run archive makes it"
            yield warning(name, f"{path} does not exist yet", remedy)
            return
    with opened_archive(settings) as engine:
        try:
            ArchiveReads(engine).probe()
        except DependencyDown as error:
            yield _failed(name, error, is_file=path is not None)
            return
    yield ok(name, "answers, and has its tables")


def _failed(name: str, error: DependencyDown, *, is_file: bool) -> Finding:
    driver = getattr(error.__cause__, "orig", None) or error.__cause__
    why = (str(driver).strip().splitlines() or ["no reason given"])[0]
    if getattr(driver, "sqlstate", None) == _UNMADE or "no such table" in why:
        return warning(name, "answers, and has no tables yet", "kascribe run archive makes them")
    remedy = (
        "move the file away: the archive is filled again from the bucket"
        if is_file
        else "start it, correct KASCRIBE_ARCHIVE_URL, or let this user connect (pg_hba.conf)"
    )
    return failed(name, why, remedy)
