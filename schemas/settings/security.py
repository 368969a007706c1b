"""The settings of what may travel without TLS. ``plain_secrets`` checks all others against them."""

from pydantic import Field

from schemas.settings.types import Section
from schemas.settings.webhooks import HostPattern


class SecuritySettings(Section):
    """What may travel without TLS."""

    plaintext_hosts: tuple[HostPattern, ...] = Field(
        default=(),
        description="Hosts that may receive a token or password without TLS, as in vllm or *.models.svc; this "
        "machine always may.",
    )
