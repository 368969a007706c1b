"""One pull of one model: fetch the missing bytes, check every file, write the manifest."""

import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Final

from models.store.directory import PULLED, check, missing_files
from models.store.manifest import Manifest, ManifestFile, git_blob_sha1_of, sha256_of
from models.store.progress import Progress, Transfer
from models.store.repository import Hub, RemoteFile, Repository
from schemas.errors import StoreError

_PART_SUFFIX: Final = ".part"
_GIBIBYTE: Final = 1024**3


class Pull:
    """Pull of a repository's model into ``partial``, which may hold files of an earlier, interrupted pull.

    A file keeps the suffix ``.part`` until its content is checked.
    """

    def __init__(self, hub: Hub, repository: Repository, partial: Path, progress: Progress) -> None:
        self._hub = hub
        self._repository = repository
        self._partial = partial
        self._progress = progress
        self._files = tuple(
            file
            for file in repository.files
            if "/" not in file.path and any(Path(file.path).match(pattern) for pattern in PULLED)
        )
        self._total_bytes = sum(file.size_bytes for file in self._files)

    def run(self, now: datetime) -> Manifest:
        """Pull the model, write its manifest beside it and return it. Blocks. Raises StoreError."""
        self._check_repository()
        try:
            return self._fetch_all(now)
        except OSError as error:
            raise StoreError(
                f"{self._partial} cannot be written ({error.strerror}): pull again, "
                "which continues where it stopped"
            ) from error

    def _fetch_all(self, now: datetime) -> Manifest:
        self._partial.mkdir(parents=True, exist_ok=True)
        self._check_space()
        done_bytes = 0
        for file in self._files:
            self._fetch(file, done_bytes)
            done_bytes += file.size_bytes
        manifest = Manifest(
            repository=self._repository.name,
            revision=self._repository.commit,
            source=self._repository.source,
            pulled_at=now,
            files=tuple(self._entry(file) for file in self._files),
        )
        check(self._partial)
        manifest.write(self._partial)
        return manifest

    def _check_repository(self) -> None:
        missing = missing_files({file.path for file in self._files})
        if missing:
            raise StoreError(
                f"{self._repository.source} is not a CTranslate2 Whisper model: it has no {', '.join(missing)}. "
                "Choose a conversion, such as those that `kascribe models list --known` shows"
            )

    def _check_space(self) -> None:
        present_bytes = sum(path.stat().st_size for path in self._partial.iterdir())
        needed_bytes = self._total_bytes - present_bytes
        free_bytes = shutil.disk_usage(self._partial).free
        if needed_bytes > free_bytes:
            raise StoreError(
                f"{self._repository.name} needs {needed_bytes / _GIBIBYTE:.2f} GiB more in "
                f"{self._partial.parent}, where {free_bytes / _GIBIBYTE:.2f} GiB are free: free some, or set "
                "KASCRIBE_WHISPER_MODELS_DIRECTORY to a larger disk"
            )

    def _fetch(self, file: RemoteFile, before_bytes: int) -> None:
        done = self._partial / file.path
        part = self._partial / (file.path + _PART_SUFFIX)

        def on_bytes(file_bytes: int) -> None:
            self._progress(Transfer(file.path, before_bytes + file_bytes, self._total_bytes))

        if not done.exists():
            part.touch()
            self._hub.fetch(self._repository, file, part, on_bytes)
            self._check_content(file, part)
            with part.open("rb") as content:
                os.fsync(content.fileno())
            part.rename(done)
        on_bytes(file.size_bytes)

    def _check_content(self, file: RemoteFile, part: Path) -> None:
        expected = file.sha256 or file.git_sha1
        if expected is None:
            raise StoreError(
                f"{self._repository.source} has no checksum for {file.path}, so it cannot be trusted: "
                "check HF_ENDPOINT"
            )
        found = sha256_of(part) if file.sha256 else git_blob_sha1_of(part)
        if found != expected:
            part.unlink()
            raise StoreError(
                f"{file.path} of {self._repository.name} arrived with the checksum {found}, not {expected}, "
                "and is removed: pull again; if it happens again, look for a proxy or mirror that changes files"
            )

    def _entry(self, file: RemoteFile) -> ManifestFile:
        path = self._partial / file.path
        digest = file.sha256 or sha256_of(path)
        return ManifestFile(path=file.path, size_bytes=path.stat().st_size, sha256=digest)
