"""The wiring of the engine alone: a model on a device, without Kafka."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from models.store import ModelStore
from models.whisper.transcriber import Transcriber
from schemas.settings import WhisperSettings


@contextmanager
def opened_transcriber(settings: WhisperSettings) -> Iterator[Transcriber]:
    """Load the model of the settings. Raises StoreError when it is absent and cannot be fetched."""
    store = ModelStore.from_settings(settings, os.environ)
    directory = store.resolve(settings.model)
    name, *aliases = store.names_in_use(settings.model, directory)
    with closing(Transcriber(settings, directory, name, aliases=aliases)) as transcriber:
        transcriber.load()
        yield transcriber
