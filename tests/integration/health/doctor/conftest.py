"""One installation that is well for each module, and its rows."""

from collections.abc import Iterator

import pytest

from producers.topics import ensure_topics
from tests.integration.health.doctor.examined import Installation, Rows, examined
from tests.integration.stack import PrivateStack


@pytest.fixture(scope="module")
def installation(stack: PrivateStack) -> Iterator[Installation]:
    """Return settings for which everything is there; topics with the names of retries and letters too."""
    from kascribe.operations.doctor.needs import ROLES, topic_needs

    with pytest.MonkeyPatch.context() as patch:
        made = Installation(stack, patch)
        settings = made.settings()
        names = sorted({topic for role in ROLES for topic in topic_needs(role, settings).all})
        ensure_topics(settings.kafka, dict.fromkeys(names, 2))
        yield made


@pytest.fixture(scope="module")
def well(installation: Installation) -> Rows:
    """Return the rows of the installation before anything is broken."""
    return examined(installation.settings())
