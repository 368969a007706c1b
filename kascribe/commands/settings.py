"""Settings for a command; the running embedded stack is the default when no broker is configured."""

import os
from collections.abc import Mapping
from typing import Final

from kascribe.configuration.reading import Loaded, load
from kascribe.embedded.session import Session
from schemas.errors import ConfigurationError

BROKER_KEY: Final = "kafka.bootstrap_servers"
BUCKET_PART: Final = "s3."


def client_settings(overrides: Mapping[str, object] | None = None) -> Loaded:
    """Load the settings of a command that connects to a running system.

    Without a configured broker that is the stack of ``kascribe up`` on this machine, if one runs.
    Raises ConfigurationError.
    """
    loaded = load(overrides=overrides)
    session = Session.current()
    if session is None or BROKER_KEY in loaded.provenance:
        return loaded
    for name, value in session.environment.items():
        os.environ[name] = value
    return load(overrides=overrides)


def running_system() -> Loaded:
    """Load the settings of a command that needs a broker, and probe it.

    Blocks for seconds. Raises ConfigurationError when none is configured, DependencyDown when it does not answer.
    """
    from producers.topics import reach_broker

    loaded = configured_system()
    reach_broker(loaded.settings.kafka)
    return loaded


def configured_system() -> Loaded:
    """Load the settings of a command that needs a broker, now or later. Raises ConfigurationError without one."""
    loaded = client_settings()
    if BROKER_KEY not in loaded.provenance:
        raise ConfigurationError(
            "nothing runs here: `kascribe up` (`make up` in a checkout) starts everything on this machine, and "
            "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS names the broker of a system that runs elsewhere"
        )
    return loaded


def stored_results() -> Loaded:
    """Load the settings of a command that only reads the bucket, and probe its store.

    Blocks for seconds. Raises ConfigurationError when none is configured, DependencyDown when it does not answer.
    """
    from consumers.s3 import reach_store

    loaded = client_settings()
    if not any(key.startswith(BUCKET_PART) for key in loaded.provenance):
        raise ConfigurationError(
            "no results and keys can be had here: `kascribe up` starts everything on this machine, and "
            "KASCRIBE_S3_ENDPOINT_URL and KASCRIBE_S3_BUCKET name the object store of a system that runs elsewhere"
        )
    reach_store(loaded.settings.s3)
    return loaded


def session_in_use(loaded: Loaded) -> Session | None:
    """Return the embedded stack if these settings are its own."""
    session = Session.current()
    is_in_use = session and session.bootstrap_servers == loaded.settings.kafka.bootstrap_servers
    return session if is_in_use else None
