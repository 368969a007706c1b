"""The command behind ``make real-models``: fetch both models into the cache and print where they are."""

import sys

from deploy.real_models.fetch import RealModelUnavailable, fetch_language_model, fetch_whisper
from deploy.stack.cache import default_cache


def main() -> int:
    """Return 0 when both models are in the cache, else 1."""
    cache = default_cache()
    try:
        print(f"speech    {fetch_whisper(cache)}")
        print(f"language  {fetch_language_model(cache)}")
    except RealModelUnavailable as unavailable:
        print(f"error: {unavailable}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
