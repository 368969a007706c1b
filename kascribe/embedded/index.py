"""The index of the embedded object store, in SQLite: which file holds which version, and what is known of it.

It lies beside the files that it names, and survives a crash of the process or the machine at any point. ``load``
puts right what a crash can leave: it removes a file without a version, and drops a version that lacks bytes.
"""

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from kascribe.embedded.versions import Bucket, Version
from schemas.errors import ConfigurationError

FILE_NAME: Final = "index.db"
LAYOUT: Final = 1
"""The release of these tables, in the database's user_version."""

_OWN_FILES: Final = frozenset({FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", f"{FILE_NAME}-journal"})
# Without STRICT, which SQLite has since 3.37: RHEL 8 has 3.26 and RHEL 9 has 3.34.
_TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, versioned INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS versions (
    number INTEGER PRIMARY KEY, version_id TEXT NOT NULL UNIQUE, bucket TEXT NOT NULL, key TEXT NOT NULL,
    file TEXT, etag TEXT NOT NULL, size_bytes INTEGER NOT NULL, headers TEXT NOT NULL, modified TEXT NOT NULL
);
PRAGMA user_version = {LAYOUT};
"""


class Index:
    """The index of one directory. The caller serialises the calls; each write is on the disk when it returns.

    Raises OSError when the database cannot be read or written. Construction and ``load`` also raise
    ConfigurationError, when it is damaged or of a later release.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with _opening(directory):
            self._database = sqlite3.connect(directory / FILE_NAME, check_same_thread=False, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def load(self) -> dict[str, Bucket]:
        """Return everything that is kept; remove what a crash left. Reads no object's bytes."""
        with _opening(self._directory):
            buckets = {
                name: Bucket(versioned=bool(versioned))
                for name, versioned in self._database.execute("SELECT name, versioned FROM buckets")
            }
            sizes = _file_sizes(self._directory)
            broken: list[tuple[int]] = []
            for number, bucket, key, version in self._versions():
                if version.path is None or sizes.pop(version.path.name, None) == version.size_bytes:
                    buckets[bucket].objects.setdefault(key, []).append(version)
                else:
                    broken.append((number,))
            self._database.executemany("DELETE FROM versions WHERE number = ?", broken)
        self._remove_all_but(buckets)
        return buckets

    def put_bucket(self, name: str, *, versioned: bool) -> None:
        """Add a bucket, or change whether it keeps versions."""
        with _errors_translated(self._directory):
            self._database.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?)", (name, int(versioned)))

    def replace(self, bucket: str, key: str, gone: Iterable[Version], version: Version | None = None) -> None:
        """Remove versions of a key and add one, both or neither."""
        with _errors_translated(self._directory), self._transaction() as database:
            database.executemany(
                "DELETE FROM versions WHERE version_id = ?", [(each.version_id,) for each in gone]
            )
            if version is not None:
                database.execute(
                    "INSERT INTO versions (version_id, bucket, key, file, etag, size_bytes, headers, modified) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    _row(bucket, key, version),
                )

    def close(self) -> None:
        """Close the database. Safe to repeat."""
        self._database.close()

    def _prepare(self) -> None:
        (layout,) = self._database.execute("PRAGMA user_version").fetchone()
        if layout > LAYOUT:
            raise ConfigurationError(
                f"{self._directory} was written by a later release: upgrade, or remove what is kept there "
                "(kascribe up --forget)"
            )
        # FULL: a commit is on the disk when it returns. Names of deleted files are overwritten with zeros.
        self._database.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
        )
        if layout < LAYOUT:
            self._database.executescript(f"BEGIN; {_TABLES} COMMIT;")

    def _versions(self) -> Iterator[tuple[int, str, str, Version]]:
        rows = self._database.execute(
            "SELECT number, bucket, key, version_id, file, etag, size_bytes, headers, modified "
            "FROM versions ORDER BY number"
        )
        for number, bucket, key, version_id, file, etag, size_bytes, headers, modified in rows:
            path = None if file is None else self._directory / file
            when = datetime.fromisoformat(modified)
            yield number, bucket, key, Version(version_id, path, etag, size_bytes, json.loads(headers), when)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _remove_all_but(self, buckets: dict[str, Bucket]) -> None:
        named = {
            version.path.name
            for bucket in buckets.values()
            for versions in bucket.objects.values()
            for version in versions
            if version.path is not None
        }
        for entry in list(os.scandir(self._directory)):
            if entry.name in named or entry.name in _OWN_FILES:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)


def _row(bucket: str, key: str, version: Version) -> tuple[str, str, str, str | None, str, int, str, str]:
    return (
        version.version_id,
        bucket,
        key,
        version.path.name if version.path else None,
        version.etag,
        version.size_bytes,
        json.dumps(dict(version.headers), ensure_ascii=False),
        version.modified.isoformat(),
    )


def _file_sizes(directory: Path) -> dict[str, int]:
    with os.scandir(directory) as entries:
        return {entry.name: entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False)}


@contextmanager
def _opening(directory: Path) -> Iterator[None]:
    try:
        with _errors_translated(directory):
            yield
    except _Damaged as error:
        raise ConfigurationError(
            f"the index of {directory} is damaged ({error.__cause__}): `kascribe up --forget` removes what it "
            "keeps and starts empty; the files in the folder of transcripts stay"
        ) from error


class _Damaged(OSError):
    """The database is none, or its pages contradict each other."""


@contextmanager
def _errors_translated(directory: Path) -> Iterator[None]:
    """Translate SQLite's errors, also those of a request that is still served when the store is closed."""
    try:
        yield
    except sqlite3.Error as error:
        is_damaged = type(error) is sqlite3.DatabaseError
        kind = _Damaged if is_damaged else OSError
        raise kind(errno.EIO, f"the index cannot be read or written: {error}", str(directory)) from error
