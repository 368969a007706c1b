"""Which roles ``kascribe up`` runs."""

from pydantic import SecretStr

from kascribe.commands.up import roles_of
from kascribe.embedded.stack import topic_names
from schemas.kafka.topics import Topics, retry_topic
from schemas.roles import Role
from schemas.settings import Settings, VllmSettings
from schemas.settings.webhooks import WebhooksSettings

SECRET = "whsec_" + "A" * 44


def test_roles_that_need_a_server_or_a_secret_run_only_with_it() -> None:
    """Otherwise they would end at once, and the stack with them."""
    plain = Settings()
    whole = Settings(
        vllm=VllmSettings(base_url="http://localhost:8000"), webhooks=WebhooksSettings(secret=SecretStr(SECRET))
    )
    assert roles_of(plain, gateway=False) == (Role.TRANSCRIBER, Role.ARCHIVE)
    assert roles_of(plain, gateway=True) == (Role.TRANSCRIBER, Role.ARCHIVE, Role.GATEWAY)
    assert set(roles_of(whole, gateway=True)) == set(Role)


def test_topics_of_all_roles_are_there_before_the_roles() -> None:
    """A role that finds its topics starts at once; webhooks have delays of their own."""
    settings, topics = Settings(), Topics()
    names = topic_names(settings)
    assert set(topics.all) <= set(names)
    for delay in settings.webhooks.retry_delays_seconds:
        assert retry_topic(topics.webhooks, delay) in names
    assert len(names) == len(set(names))
