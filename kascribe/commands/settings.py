"""Settings for a command, and the running embedded stack for those who configured nothing else."""

import os
from collections.abc import Mapping

from kascribe.configuration.reading import Loaded, load
from kascribe.embedded.session import Session
from schemas.errors import ConfigurationError

BROKER_KEY = "kafka.bootstrap_servers"
BUCKET_PART = "s3."


def client_settings(overrides: Mapping[str, object] | None = None) -> Loaded:
    """The settings of a command that talks to a running system.

    Who named no broker means the stack that ``kascribe up`` runs on this machine, when there is one.
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
    """The settings of a command that needs a broker, which answers.

    Blocks until it does, for seconds. Raises ConfigurationError when none is named, DependencyDown.
    """
    from producers.topics import reach_broker

    loaded = client_settings()
    if BROKER_KEY not in loaded.provenance:
        raise ConfigurationError(
            "nothing runs here: `kascribe up` starts everything on this machine, and "
            "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS names the broker of a system that runs elsewhere"
        )
    reach_broker(loaded.settings.kafka)
    return loaded


def stored_results() -> Loaded:
    """The settings of a command that reads the bucket alone, whose store answers.

    Blocks until it does, for seconds. Raises ConfigurationError when none is named, DependencyDown.
    """
    from consumers.s3 import reach_store

    loaded = client_settings()
    if not any(key.startswith(BUCKET_PART) for key in loaded.provenance):
        raise ConfigurationError(
            "no results can be had here: `kascribe up` starts everything on this machine, and "
            "KASCRIBE_S3_ENDPOINT_URL and KASCRIBE_S3_BUCKET name the object store of a system that runs elsewhere"
        )
    reach_store(loaded.settings.s3)
    return loaded


def session_in_use(loaded: Loaded) -> Session | None:
    """The embedded stack, when these settings are its own."""
    session = Session.current()
    is_in_use = session and session.bootstrap_servers == loaded.settings.kafka.bootstrap_servers
    return session if is_in_use else None
