"""The model store: one directory per model, found only when it is whole.

::

    models_directory/
        Systran--faster-whisper-tiny/     files and kascribe-manifest.json
        .partial/<model>@<commit>/        what a pull has so far; never looked at by anyone but a pull
        .removed-<id>/                    what is being deleted
        .locks/                           one pull per model at a time, over processes too
"""

import fcntl
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from models.store import names
from models.store.directory import SELFTEST, SELFTEST_DIRECTORY, check
from models.store.manifest import Manifest
from models.store.progress import Progress, ignore
from models.store.pull import Pull
from models.store.repository import Hub
from schemas.errors import ModelNotFound, StoreError
from schemas.settings import WhisperSettings

_REMOVED: Final = ".removed-"
_PATH_BEGINNINGS: Final = ("/", "./", "../", "~")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model in the store. ``manifest`` is None for a directory that somebody copied there.

    ``problem`` says why there is a manifest that cannot be read; empty is good.
    """

    name: str
    path: Path
    manifest: Manifest | None
    problem: str = ""

    @property
    def short_names(self) -> tuple[str, ...]:
        """The short names that find it, such as ``turbo``."""
        return names.short_names(self.name)


class ModelStore:
    """Models under ``directory``. Without a hub it never makes a network call, whatever it is asked.

    Every method may be called from several processes at once.
    """

    def __init__(
        self, directory: Path, *, hub: Hub | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._directory = directory
        self._hub = hub
        self._now = now

    @classmethod
    def from_settings(cls, settings: WhisperSettings, environment: Mapping[str, str]) -> "ModelStore":
        """The store of these settings; ``offline`` leaves it without a hub."""
        # Imported late: it costs half a second that those who are offline need not pay.
        from models.store.hub import HuggingFaceHub  # noqa: PLC0415

        hub = None if settings.offline else HuggingFaceHub.from_environment(environment)
        return cls(settings.models_directory or default_directory(environment), hub=hub)

    def resolve(self, name_or_path: str, *, offline: bool = False, progress: Progress = ignore) -> Path:
        """The directory of a model, pulled first when it is not on disk and the network may be asked.

        ``selftest`` is found by that name and answers no other. Raises ModelNotFound or StoreError.
        """
        try:
            return self.path(name_or_path)
        except ModelNotFound:
            repository = names.repository_of(name_or_path)
            if offline or self._hub is None or repository is None:
                raise
        return self.pull(repository, progress=progress).path

    def path(self, name_or_path: str) -> Path:
        """The directory of a model that is on disk. Never a network call. Raises ModelNotFound or StoreError."""
        if name_or_path == SELFTEST:
            return _selftest()
        if name_or_path.startswith(_PATH_BEGINNINGS):
            return check(Path(name_or_path).expanduser())
        repository = names.repository_of(name_or_path)
        stored = self._stored_directory(name_or_path)
        if stored is not None:
            return check(stored)
        if Path(name_or_path).is_dir() and name_or_path not in names.REPOSITORIES:
            return check(Path(name_or_path))
        raise ModelNotFound(self._how_to_get(name_or_path, repository))

    def names_in_use(self, name_or_path: str, directory: Path) -> tuple[str, ...]:
        """What the model that ``resolve`` found may be called, the best name first. Raises StoreError."""
        manifest = Manifest.read(directory)
        return names.names_in_use(name_or_path, directory, manifest.repository if manifest else None)

    def list(self) -> tuple[StoredModel, ...]:
        """What is in the store, by name. The selftest model is part of Kascribe, not of the store."""
        if not self._directory.is_dir():
            return ()
        found = (path for path in self._directory.iterdir() if path.is_dir() and not path.name.startswith("."))
        return tuple(_stored(path) for path in sorted(found))

    def pull(self, name: str, *, revision: str | None = None, progress: Progress = ignore) -> StoredModel:
        """Fetches a model by short name or ``org/repo``; does nothing when that commit is already here.

        Goes on where an earlier pull stopped, waits while another process pulls the same model, and
        publishes in one step: until then nobody finds it. Blocks. Raises StoreError.
        """
        repository = names.repository_of(name)
        if repository is None:
            raise StoreError(f"{name} is neither a model's name nor org/repo: {names.nearest(name)}")
        if self._hub is None:
            raise StoreError(
                f"{name} was not fetched because Kascribe is told to be offline: unset KASCRIBE_WHISPER_OFFLINE "
                "and HF_HUB_OFFLINE to pull"
            )
        target = self._directory / names.directory_name(repository)
        with self._lock(target.name):
            remote = self._hub.repository(repository, revision=revision)
            if target.is_dir() and (kept := Manifest.read(target)) and kept.revision == remote.commit:
                return StoredModel(repository, target, kept)
            partial = self._directory / ".partial" / f"{target.name}@{remote.commit}"
            manifest = Pull(self._hub, remote, partial, progress).run(self._now())
            self._publish(partial, target)
        return StoredModel(repository, target, manifest)

    def verify(self, name: str) -> tuple[str, ...]:
        """Hashes every file against the manifest; what differs, a sentence each; empty is good."""
        directory = self.path(name)
        manifest = Manifest.read(directory)
        if manifest is None:
            raise StoreError(f"{directory} has no manifest to compare with: only pulled models have one")
        return manifest.problems(directory)

    def remove(self, name: str) -> Path:
        """Takes a model out of the store and deletes it. Raises ModelNotFound; says where it was."""
        target = self._stored_directory(name)
        if target is None:
            raise ModelNotFound(f"{name} is not in {self._directory}: `kascribe models list` shows what is")
        with self._lock(target.name):
            self._discard(target)
        return target

    def _stored_directory(self, name: str) -> Path | None:
        own_name = names.directory_name(names.repository_of(name) or name)
        # A name must not lead out of the store, nor to what is not a model in it.
        stored = self._directory / own_name
        return stored if own_name and not own_name.startswith(".") and stored.is_dir() else None

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
        # Renamed first: a deletion that is cut short must not leave half a model to be found.
        try:
            target.rename(self._directory / f"{_REMOVED}{uuid.uuid4().hex}")
        except OSError as error:
            raise StoreError(f"{target} cannot be removed: {error.strerror}") from error
        for removed in self._directory.glob(f"{_REMOVED}*"):  # those of deletions that were cut short as well
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
                "set KASCRIBE_WHISPER_MODELS_DIRECTORY to a directory that can"
            ) from error
        with file:
            # The system lets go of it when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _how_to_get(self, name: str, repository: str | None) -> str:
        if repository is None:
            return f"{name} is neither a model's name, nor org/repo, nor a directory: {names.nearest(name)}"
        if self._hub is None:
            return (
                f"{name} is not in {self._directory}, and Kascribe is told to be offline: run "
                f"`kascribe models pull {name}` on a machine with a network and copy "
                f"{names.directory_name(repository)} from its store to this one"
            )
        return f"{name} is not in {self._directory}: run `kascribe models pull {name}`"


def default_directory(environment: Mapping[str, str]) -> Path:
    """``kascribe/models`` in the user's cache."""
    cache = environment.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "kascribe" / "models"


def _selftest() -> Path:
    if not SELFTEST_DIRECTORY.is_dir():
        raise ModelNotFound(
            "this installation has no self-test model: install Kascribe anew, with its package data"
        )
    return check(SELFTEST_DIRECTORY)


def _stored(path: Path) -> StoredModel:
    try:
        manifest = Manifest.read(path)
    except StoreError as error:
        return StoredModel(path.name, path, None, str(error))
    return StoredModel(manifest.repository if manifest else path.name, path, manifest)
