"""The gate: from a request's headers to its API key, or to the reason why there is none."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

from producers.api_keys.key import ApiKey, KeyState
from producers.api_keys.secrets import digest_of, is_secret
from producers.gateway.access.attempts import WINDOW_SECONDS, FailedAttempts
from producers.gateway.access.credentials import credential_in, key_ended, key_invalid, key_missing, too_many
from producers.gateway.access.key_ring import KeyRing
from producers.gateway.access.limits import Limits
from producers.gateway.access.usage_book import UsageBook
from producers.gateway.failures import RequestRefused
from schemas.clock import Clock


@dataclass(frozen=True, slots=True)
class Gate:
    """Admits requests by their keys. Belongs to one event loop."""

    ring: KeyRing
    attempts: FailedAttempts
    limits: Limits
    usage: UsageBook
    _: KW_ONLY
    clock: Clock

    async def key_of(self, headers: Mapping[str, str], *, address: str) -> ApiKey:
        """Return the key of a request from an address.

        Raises RequestRefused (401 without a key that is accepted, 429 after too many that were not), and
        DependencyDown when a key is not remembered and the bucket does not answer.
        """
        secret = credential_in(headers)
        if secret is None:
            raise key_missing()
        try:
            return await self._accepted(secret, address)
        except RequestRefused as refused:
            self.attempts.failed(address, refused.reason)
            raise

    async def is_accepted(self, headers: Mapping[str, str]) -> bool:
        """Return whether the key of a request in progress is still accepted. Raises DependencyDown."""
        key = await self.ring.find(digest_of(credential_in(headers) or ""))
        return key is not None and key.state_at(self.clock.now()) is KeyState.ACTIVE

    async def _accepted(self, secret: str, address: str) -> ApiKey:
        if not is_secret(secret):
            raise key_invalid()
        digest = digest_of(secret)
        if not self.ring.needs_no_read(digest) and (wait := self.attempts.wait_seconds(address)):
            raise too_many(
                "too_many_failures",
                f"too many API keys from here were refused within {WINDOW_SECONDS:.0f} s; check the key, and wait",
                retry_seconds=wait,
            )
        key = await self.ring.find(digest)
        if key is None:
            raise key_invalid()
        if (state := key.state_at(self.clock.now())) is not KeyState.ACTIVE:
            raise key_ended(key, state)
        return key
