"""The model that a command runs by itself, without a broker."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from schemas.errors import ConfigurationError, ModelNotFound

if TYPE_CHECKING:
    from kascribe.wiring.engine import InferenceObserver
    from models.store import ModelStore
    from models.whisper.transcriber import Transcriber
    from schemas.settings import WhisperSettings


@contextmanager
def opened_model(
    settings: "WhisperSettings", *, meter: "InferenceObserver | None" = None
) -> "Iterator[Transcriber]":
    """Open the model, which must be on this disk: a command does not fetch gigabytes without being asked.

    Raises ConfigurationError, with how to get a model, when it is not.
    """
    import os

    from kascribe.wiring.engine import opened_transcriber
    from models.store import ModelStore

    store = ModelStore.from_settings(settings, os.environ)
    try:
        store.path(settings.model)
    except ModelNotFound as error:
        raise ConfigurationError(_how_to_get_a_model(str(error), settings, store)) from error
    with opened_transcriber(settings, meter=meter) as transcriber:
        yield transcriber


def _how_to_get_a_model(problem: str, settings: "WhisperSettings", store: "ModelStore") -> str:
    from models.store import MEGABYTES, REPOSITORIES

    here = [name for model in store.list() for name in (model.short_names or (model.name,))[:1]]
    wanted = settings.model if settings.model in REPOSITORIES else "large-v3-turbo"
    sizes = ", ".join(f"{name} {MEGABYTES[name]:,} MB" for name in ("tiny", "small", "large-v3-turbo"))
    lines = [
        f"{settings.model} is not on this disk" if settings.model in REPOSITORIES else problem,
        f"  get one          kascribe models pull {wanted}",
        f"                   ({sizes})",
        "  try without one  --model selftest  (knows digits and a few commands)",
    ]
    if here:
        lines.append(f"  on this disk     --model {here[0]}  (of {len(here)})")
    if settings.offline:
        lines.append("  without network  copy a pulled model's folder here: --model /its/path")
    return "\n".join(lines)
