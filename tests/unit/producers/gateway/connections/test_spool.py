"""The spool: how many uploads there are, and how many bytes of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from producers.gateway.connections import spool as module
from producers.gateway.connections.refusals import Refusal, Refusals
from producers.gateway.connections.spool import MEMORY_BYTES, Spool
from producers.gateway.failures import RequestRefused
from tests.support.clock import HandClock


def spool(limit_bytes: int = 1_000, uploads: int = 2) -> Spool:
    """Build an empty spool."""
    return Spool(limit_bytes, uploads, Refusals(HandClock()))


def refused(act: Callable[[], object]) -> str:
    """Return the reason, which is one to try again."""
    with pytest.raises(RequestRefused) as why:
        act()
    assert why.value.status == 503
    return why.value.reason


def test_bytes_count_until_their_file_is_closed() -> None:
    """Closing twice gives them back once."""
    space = spool()
    with space.upload(0) as upload:
        file = upload.open_file()
        file.write(b"x" * 600)
        file.write(b"x" * 400)
        assert space.used_bytes == 1_000
        assert refused(lambda: file.write(b"x")) == "spool_full"
        file.close()
        file.close()
        assert space.used_bytes == 0


def test_an_upload_counts_until_it_is_read_and_its_files_are_closed() -> None:
    """In either order: a file that waits for the bucket takes a place as well."""
    space = spool(uploads=1)
    with space.upload(0) as upload:
        file = upload.open_file()
    assert space.uploads == 1
    assert refused(lambda: space.upload(0).__enter__()) == "crowded"
    file.close()
    assert space.uploads == 0
    with space.upload(0) as upload:
        upload.open_file().close()
        assert space.uploads == 1
    assert space.uploads == 0


def test_what_is_announced_too_long_for_the_room_is_refused_before_it_comes() -> None:
    """An upload that would not fit is not begun."""
    space = spool()
    with space.upload(1_000) as upload, upload.open_file() as file:
        file.write(b"x" * 600)
        assert refused(lambda: space.upload(401).__enter__()) == "spool_full"
        with space.upload(400):
            assert space.uploads == 2


def test_some_of_the_disk_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process needs some, and so do others: an upload is refused before the disk is full."""
    monkeypatch.setattr(module, "FREE_SHARE", 2.0)
    monkeypatch.setattr(module, "FREE_BYTES", 2**62)
    counted: list[Refusal] = []
    space = Spool(1_000, 2, Refusals(HandClock(), on_refusal=counted.append))
    assert refused(lambda: space.upload(1).__enter__()) == "disk_full"
    assert counted == [Refusal.DISK]


def test_long_files_are_on_the_disk(tmp_path: Path) -> None:
    """Memory is for short clips."""
    space = Spool(10 * MEMORY_BYTES, 2, Refusals(HandClock()), directory=str(tmp_path))
    with space.upload(0) as upload:
        file = upload.open_file()
        file.write(bytes(MEMORY_BYTES))
        assert not file._rolled  # type: ignore[attr-defined] # what starlette looks at too
        file.write(b"x")
        assert file._rolled  # type: ignore[attr-defined]
        file.close()
