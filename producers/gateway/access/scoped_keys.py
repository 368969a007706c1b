"""Idempotency keys of tenants: two tenants that choose the same key have two jobs."""

from producers.gateway.access.caller import Caller


def scoped_key(caller: Caller, idempotency_key: str) -> str:
    """Return the idempotency key of the caller's job, which no other tenant can name. Safe to repeat.

    Events and late answers show the scoped key; a caller that sends it back means the same job. Where no keys are
    in use, the key stays as it is.
    """
    return _prefix(caller) + unscoped_key(caller, idempotency_key)


def unscoped_key(caller: Caller, idempotency_key: str) -> str:
    """Return the key as the caller chose it, to which the limit of its length applies."""
    return idempotency_key.removeprefix(_prefix(caller))


def _prefix(caller: Caller) -> str:
    # The length first: "a" with the key "b:k" and "a:b" with the key "k" must differ.
    return "" if caller.tenant is None else f"tenant:{len(caller.tenant)}:{caller.tenant}:"
