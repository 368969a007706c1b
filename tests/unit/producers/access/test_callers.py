"""Who a caller is, and which tenant and job a request of theirs means."""

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from producers.gateway.access.caller import ANYONE, Caller, Right, caller_of, set_caller
from producers.gateway.access.scoped_keys import scoped_key, unscoped_key
from producers.gateway.failures import RequestRefused

ACME = Caller("acme", frozenset({Right.TRANSCRIBE}))


def request_of(caller: Caller | RequestRefused) -> Request:
    """Build a request that the middleware has looked at."""
    scope = {"type": "http"}
    set_caller(scope, caller)
    return Request(scope)


def test_a_right_that_a_key_lacks_is_named() -> None:
    """403 names the right, so that the caller can ask for it; a right that is there lets the request through."""
    assert caller_of(request_of(ACME), Right.TRANSCRIBE) is ACME
    with pytest.raises(RequestRefused, match="delete") as refused:
        caller_of(request_of(ACME), Right.DELETE)
    assert (refused.value.status, refused.value.reason) == (403, "right_missing")


def test_a_request_without_a_caller_is_refused_as_the_middleware_said() -> None:
    """Nothing of the route runs; a request that no middleware looked at is a defect, not anyone's."""
    unknown = RequestRefused.__new__(RequestRefused)
    with pytest.raises(RequestRefused):
        caller_of(request_of(unknown), Right.READ)
    with pytest.raises(KeyError):
        caller_of(Request({"type": "http"}), Right.READ)


def test_the_key_decides_the_tenant() -> None:
    """A field that names another tenant is refused, since ignoring it would hide the mistake."""
    assert ACME.tenant_of("") == ACME.tenant_of("acme") == "acme"
    with pytest.raises(RequestRefused, match="tenant") as refused:
        ACME.tenant_of("other")
    assert (refused.value.status, refused.value.reason) == (403, "tenant_mismatch")
    assert (ANYONE.tenant_of(""), ANYONE.tenant_of("other")) == ("default", "other")


def test_jobs_of_another_tenant_are_not_there() -> None:
    """With a key, only the tenant's own jobs exist; without keys, all do."""
    assert (ACME.may_see("acme"), ACME.may_see("other"), ANYONE.may_see("other")) == (True, False, True)


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_two_tenants_never_mean_the_same_job(one: str, key: str, other: str, other_key: str) -> None:
    """Whatever the names and keys contain; and a scoped key that comes back means the same job."""
    first, second = Caller(one, frozenset()), Caller(other, frozenset())
    scoped = scoped_key(first, key)
    assert scoped_key(first, scoped) == scoped
    assert (scoped == scoped_key(second, other_key)) <= (one == other)
    assert unscoped_key(first, scoped) == unscoped_key(first, key)


def test_without_keys_an_idempotency_key_stays_as_it_is() -> None:
    """Jobs of earlier releases are found under their keys."""
    assert scoped_key(ANYONE, "call-7") == "call-7"
