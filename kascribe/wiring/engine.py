"""The wiring of the engine alone: a model on a device, without Kafka."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from models.media.ports import DecoderObserver
from models.store import ModelStore
from models.whisper.inference.observer import EngineObserver
from models.whisper.transcriber import Transcriber
from schemas.settings import WhisperSettings


class InferenceObserver(EngineObserver, DecoderObserver, Protocol):
    """Told of the calls of the model and of the files of the decoders."""


@contextmanager
def opened_transcriber(
    settings: WhisperSettings, *, meter: InferenceObserver | None = None
) -> Iterator[Transcriber]:
    """Load the model of the settings. Raises StoreError when it is absent and cannot be fetched."""
    store = ModelStore.from_settings(settings, os.environ)
    directory = store.resolve(settings.model)
    name, *aliases = store.names_in_use(settings.model, directory)
    transcriber = Transcriber(settings, directory, name, aliases=aliases, observer=meter, decoder_observer=meter)
    with closing(transcriber):
        transcriber.load()
        yield transcriber
