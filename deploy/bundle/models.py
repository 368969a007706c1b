"""Models of a bundle: pulled by the store, or directories that the user names."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.bundle.errors import BundleError
from kascribe.configuration.reading import load
from models.store.directory import check
from models.store.store import ModelStore
from schemas.errors import KascribeError


def add_model(name_or_directory: str, folder: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Copy a model into ``folder`` and return the name by which it is found there.

    A name is looked up in this machine's store, and pulled when it is not there. Blocks. Raises BundleError.
    """
    try:
        directory, name = _directory(name_or_directory, environment)
    except KascribeError as error:
        raise BundleError(f"the model {name_or_directory} cannot be added: {error}") from error
    if (folder / directory.name).exists():
        raise BundleError(f"two models have the directory name {directory.name}: rename one")
    shutil.copytree(directory, folder / directory.name, symlinks=False)
    return name


def _directory(name_or_directory: str, environment: Mapping[str, str]) -> tuple[Path, str]:
    path = Path(name_or_directory).expanduser()
    if path.is_dir():
        return check(path.resolve()), path.resolve().name
    store = ModelStore.from_settings(load().settings.whisper, environment)
    return store.resolve(name_or_directory), name_or_directory
