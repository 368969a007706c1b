"""Store of Whisper models on disk: pull from a hub, look-up by name, verification against manifests."""

from models.store.directory import SELFTEST
from models.store.manifest import Manifest
from models.store.names import MEGABYTES, REPOSITORIES
from models.store.progress import Progress, Transfer
from models.store.store import ModelStore, StoredModel

__all__ = [
    "MEGABYTES",
    "REPOSITORIES",
    "SELFTEST",
    "Manifest",
    "ModelStore",
    "Progress",
    "StoredModel",
    "Transfer",
]
