"""The model store: one directory per model, visible only when complete.

::

    models_directory/
        Systran--faster-whisper-tiny/     files and kascribe-manifest.json
        .partial/<model>@<commit>/        files of a pull in progress; read by pulls only
        .removed-<id>/                    a directory that is being deleted
        .locks/                           one pull per model at a time, across processes
"""

import fcntl
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.store import names
from models.store.directory import SELFTEST, SELFTEST_DIRECTORY, check
from models.store.manifest import Manifest
from models.store.progress import Progress, ignore
from models.store.pull import Pull
from models.store.repository import Hub
from schemas.clock import Clock, SystemClock
from schemas.errors import ModelNotFound, StoreError
from schemas.settings import WhisperSettings

_REMOVED: Final = ".removed-"
_PATH_PREFIXES: Final = ("/", "./", "../", "~")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model in the store. ``manifest`` is None for a directory that was copied there.

    ``problem`` says why an existing manifest cannot be read; empty without a problem.
    """

    name: str
    path: Path
    manifest: Manifest | None
    problem: str = ""

    @property
    def short_names(self) -> tuple[str, ...]:
        """The short names that resolve to it, such as ``turbo``."""
        return names.short_names(self.name)


class ModelStore:
    """Models under ``directory``. Without a hub, no method makes a network call.

    Every method may be called from several processes at once.
    """

    def __init__(self, directory: Path, *, hub: Hub | None, clock: Clock | None = None) -> None:
        self._directory = directory
        self._hub = hub
        self._clock = clock or SystemClock()

    @classmethod
    def from_settings(cls, settings: WhisperSettings, environment: Mapping[str, str]) -> "ModelStore":
        """Return the store of these settings; with ``offline`` it has no hub."""
        # Imported late: the import takes half a second, which offline users need not spend.
        from models.store.hub import HuggingFaceHub  # noqa: PLC0415

        hub = None if settings.offline else HuggingFaceHub.from_environment(environment)
        return cls(settings.models_directory or default_directory(environment), hub=hub)

    def resolve(self, name_or_path: str, *, offline: bool = False, progress: Progress = ignore) -> Path:
        """Return the directory of a model; pull it first when it is not on disk and network calls are allowed.

        The ``selftest`` model is found by that name only. Raises ModelNotFound or StoreError.
        """
        try:
            return self.path(name_or_path)
        except ModelNotFound:
            repository = names.repository_of(name_or_path)
            if offline or self._hub is None or repository is None:
                raise
        return self.pull(repository, progress=progress).path

    def path(self, name_or_path: str) -> Path:
        """Return the directory of a model on disk; makes no network call. Raises ModelNotFound or StoreError."""
        if name_or_path == SELFTEST:
            return _selftest()
        if name_or_path.startswith(_PATH_PREFIXES):
            return check(Path(name_or_path).expanduser())
        repository = names.repository_of(name_or_path)
        stored = self._stored_directory(name_or_path)
        if stored is not None:
            return check(stored)
        if Path(name_or_path).is_dir() and name_or_path not in names.REPOSITORIES:
            return check(Path(name_or_path))
        raise ModelNotFound(self._how_to_get(name_or_path, repository))

    def names_in_use(self, name_or_path: str, directory: Path) -> tuple[str, ...]:
        """Return the names of the model that ``resolve`` found, the best one first. Raises StoreError."""
        manifest = Manifest.read(directory)
        return names.names_in_use(name_or_path, directory, manifest.repository if manifest else None)

    def list(self) -> tuple[StoredModel, ...]:
        """List the store, sorted by name. The selftest model is part of Kascribe, not of the store."""
        if not self._directory.is_dir():
            return ()
        found = (path for path in self._directory.iterdir() if path.is_dir() and not path.name.startswith("."))
        return tuple(_stored(path) for path in sorted(found))

    def pull(self, name: str, *, revision: str | None = None, progress: Progress = ignore) -> StoredModel:
        """Fetch a model by short name or ``org/repo``; do nothing when that commit is already on disk.

        Continues an interrupted pull, waits while another process pulls the same model, and makes it visible in
        one step when it is complete. Blocks. Raises StoreError.
        """
        repository = names.repository_of(name)
        if repository is None:
            raise StoreError(f"{name} is neither a model's name nor org/repo: {names.nearest(name)}")
        if self._hub is None:
            raise StoreError(
                f"{name} was not fetched because Kascribe is set to offline: unset KASCRIBE_WHISPER_OFFLINE "
                "and HF_HUB_OFFLINE to pull"
            )
        target = self._directory / names.directory_name(repository)
        with self._lock(target.name):
            remote = self._hub.repository(repository, revision=revision)
            if target.is_dir() and (existing := Manifest.read(target)) and existing.revision == remote.commit:
                return StoredModel(repository, target, existing)
            partial = self._directory / ".partial" / f"{target.name}@{remote.commit}"
            manifest = Pull(self._hub, remote, partial, progress).run(self._clock.now())
            self._publish(partial, target)
        return StoredModel(repository, target, manifest)

    def verify(self, name: str) -> tuple[str, ...]:
        """Hash every file and compare with the manifest; return a sentence per difference."""
        directory = self.path(name)
        manifest = Manifest.read(directory)
        if manifest is None:
            raise StoreError(f"{directory} has no manifest to compare with: only pulled models have one")
        return manifest.problems(directory)

    def remove(self, name: str) -> Path:
        """Delete a model and return the directory that it had. Raises ModelNotFound."""
        target = self._stored_directory(name)
        if target is None:
            raise ModelNotFound(f"{name} is not in {self._directory}: `kascribe models list` shows what is")
        with self._lock(target.name):
            self._discard(target)
        return target

    def _stored_directory(self, name: str) -> Path | None:
        directory_name = names.directory_name(names.repository_of(name) or name)
        # A name must not lead out of the store, nor to its internal directories.
        stored = self._directory / directory_name
        return stored if directory_name and not directory_name.startswith(".") and stored.is_dir() else None

    def _publish(self, partial: Path, target: Path) -> None:
        if target.is_dir():
            self._discard(target)
        try:
            partial.rename(target)
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error.strerror}") from error
        for stale in partial.parent.glob(f"{target.name}@*"):
            shutil.rmtree(stale, ignore_errors=True)

    def _discard(self, target: Path) -> None:
        # Renamed first: an interrupted deletion must not leave a visible half of a model.
        try:
            target.rename(self._directory / f"{_REMOVED}{uuid.uuid4().hex}")
        except OSError as error:
            raise StoreError(f"{target} cannot be removed: {error.strerror}") from error
        for removed in self._directory.glob(f"{_REMOVED}*"):  # including those of interrupted deletions
            shutil.rmtree(removed, ignore_errors=True)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        path = self._directory / ".locks" / f"{name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("w")
        except OSError as error:
            raise StoreError(
                f"{self._directory} cannot be written ({error.strerror}): "
                "set KASCRIBE_WHISPER_MODELS_DIRECTORY to a writable directory"
            ) from error
        with file:
            # The system releases the lock when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _how_to_get(self, name: str, repository: str | None) -> str:
        if repository is None:
            return f"{name} is neither a model's name, nor org/repo, nor a directory: {names.nearest(name)}"
        if self._hub is None:
            return (
                f"{name} is not in {self._directory}, and Kascribe is set to offline: run "
                f"`kascribe models pull {name}` on a machine with a network and copy "
                f"{names.directory_name(repository)} from its store to this one"
            )
        return f"{name} is not in {self._directory}: run `kascribe models pull {name}`"


def default_directory(environment: Mapping[str, str]) -> Path:
    """Return ``kascribe/models`` in the user's cache."""
    cache = environment.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "kascribe" / "models"


def _selftest() -> Path:
    if not SELFTEST_DIRECTORY.is_dir():
        raise ModelNotFound("this installation has no self-test model: reinstall Kascribe with its package data")
    return check(SELFTEST_DIRECTORY)


def _stored(path: Path) -> StoredModel:
    try:
        manifest = Manifest.read(path)
    except StoreError as error:
        return StoredModel(path.name, path, None, str(error))
    return StoredModel(manifest.repository if manifest else path.name, path, manifest)
