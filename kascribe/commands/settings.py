"""Settings for a command, and the running embedded stack for those who configured nothing else."""

import os
from collections.abc import Mapping

from kascribe.configuration import Loaded, load
from kascribe.embedded.session import Session

BROKER_KEY = "kafka.bootstrap_servers"


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
