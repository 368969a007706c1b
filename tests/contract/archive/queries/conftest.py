"""An archive that its stage fills, and its questions."""

import pytest

from producers.archive.reads import ArchiveReads
from tests.contract.archive.archive_bench import ArchiveBench
from tests.contract.archive.queries.recordings import Shelf


@pytest.fixture
def reads(archive: ArchiveBench) -> ArchiveReads:
    """Return the questions of the archive, on a connection that cannot write."""
    return ArchiveReads(archive.reading)


@pytest.fixture
def shelf(archive: ArchiveBench) -> Shelf:
    """Return the place where recordings are added to the archive."""
    return Shelf(archive)
