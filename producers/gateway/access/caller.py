"""The caller of a request: the tenant that it belongs to, and what it may do."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request

from producers.api_keys.key import ApiKey
from producers.api_keys.rights import Right
from producers.gateway.failures import RequestRefused
from schemas.options import Lane

__all__ = ["ANYONE", "DEFAULT_TENANT", "Caller", "Right", "admitted", "caller_of", "set_caller"]

DEFAULT_TENANT: Final = "default"
_SCOPE_KEY: Final = "kascribe.caller"


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request. ``tenant`` is None where no keys are in use: the request itself names it."""

    tenant: str | None
    rights: frozenset[Right]
    key: ApiKey | None = None

    def tenant_of(self, requested: str) -> str:
        """Return the tenant of a request that names ``requested``, which is empty if it names none.

        Raises RequestRefused when the caller's key belongs to another tenant: ignoring the field would hide that.
        """
        if self.tenant is None:
            return requested or DEFAULT_TENANT
        if requested and requested != self.tenant:
            raise RequestRefused(
                HTTPStatus.FORBIDDEN,
                "tenant_mismatch",
                "the API key decides the tenant, and it belongs to another one: leave the field tenant out",
            )
        return self.tenant

    def may_see(self, tenant: str) -> bool:
        """Return whether jobs of this tenant exist for the caller."""
        return self.tenant is None or self.tenant == tenant

    def lane_of(self, requested: Lane) -> Lane:
        """Return the lane of a job: bulk, whatever is requested, where the key may use no better one."""
        return Lane.BULK if self.key is not None and self.key.lane is Lane.BULK else requested

    def has(self, right: Right) -> bool:
        """Return whether the caller has a right."""
        return right in self.rights


ANYONE: Final = Caller(None, frozenset(Right))
"""The caller where no keys are in use."""


def caller_of(request: Request, right: Right) -> Caller:
    """Return the caller of a request that needs ``right``; call it before the body is read.

    Raises RequestRefused: 401 without a valid key, 403 without the right.
    """
    caller = admitted(request)
    if not caller.has(right):
        raise RequestRefused(
            HTTPStatus.FORBIDDEN,
            "right_missing",
            f"this needs the right {right.value}, which the API key does not have "
            "(`kascribe keys list` shows the rights of each key)",
        )
    return caller


def admitted(request: Request) -> Caller:
    """Return the caller of a request that needs no right, but a key where keys are in use.

    Raises RequestRefused (401) without a valid key.
    """
    caller: Caller | RequestRefused = request.scope[_SCOPE_KEY]
    if isinstance(caller, RequestRefused):
        raise caller
    return caller


def set_caller(scope: Any, caller: Caller | RequestRefused) -> None:
    """Record the caller of a request, or why there is none; ``caller_of`` returns or raises it."""
    scope[_SCOPE_KEY] = caller
