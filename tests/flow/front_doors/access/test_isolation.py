"""What belongs to one tenant does not exist for another, on every route of the application.

The routes come from the application itself: a route that has no trial here fails the first test.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from kascribe.wiring.documentation import event_documents
from producers.gateway.access.public import is_public
from producers.gateway.app import create_app
from schemas.settings import GatewaySettings
from tests.flow.front_doors.access.tenants import NOWHERE, Tenant, tenant
from tests.flow.gateway import Gateway, GatewayBench, Response
from tests.sound.wav_listener import wav_bytes

Trial = Callable[[Tenant, Tenant], None]


def routes() -> list[tuple[str, str]]:
    """Return every method and path of the application; HEAD stands beside GET, and answers as it does."""
    app = create_app(GatewaySettings(), open_services=None, event_documents=event_documents)  # type: ignore[arg-type]
    assert all(isinstance(route, Route) for route in app.routes), app.routes
    return [
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute | Route)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


@pytest.fixture(scope="module")
def gateway(bench: GatewayBench) -> Gateway:
    """Start a gateway that requires keys, with an enricher that nobody started."""
    return bench.gateway(keys="required", enrichment=True)


@pytest.fixture(scope="module")
def owner(bench: GatewayBench, gateway: Gateway) -> Tenant:
    """Return the tenant whose job the other one tries to reach."""
    return tenant(bench, gateway, "owner")


@pytest.fixture(scope="module")
def other(bench: GatewayBench, gateway: Gateway) -> Tenant:
    """Return the other tenant, with every right."""
    return tenant(bench, gateway, "other")


@pytest.fixture(scope="module")
def job(owner: Tenant) -> str:
    """Return the id of a finished job of the owner's."""
    return owner.finished_job()


def of_a_job(method: str, path: str, *, body: object = None) -> Trial:
    """Return a trial of a route that names a job: the owner's is as missing as one that never was."""

    def trial(owner: Tenant, other: Tenant) -> None:
        job_id = owner.finished_job()
        tried, missing = (_sent(other, method, path.format(job_id=each), body=body) for each in (job_id, NOWHERE))
        assert (tried.status, tried.reason) == (404, "job_not_found")
        assert tried.body == missing.body
        assert owner.request("GET", f"/v1/jobs/{job_id}").status == 200

    return trial


def of_a_form(path: str, model: str = "") -> Trial:
    """Return a trial of a route that starts jobs: the owner's idempotency key names another job there, and a form
    cannot name another tenant."""

    def trial(owner: Tenant, other: Tenant) -> None:
        fields: dict[str, Any] = {"model": model} if model else {}
        owned = owner.finished_job(path)
        answer = other.post(path, wav_bytes(2), {"Idempotency-Key": path}, **fields)
        # The listener of the tests does not translate: then the other's own job fails, and not for the owner's.
        assert answer.status in (200, 202) or "neither translates" in json.dumps(answer.body), answer
        assert answer.body.get("job_id") != owned
        assert "second 2" in answer.body.get("text", "second 2")
        refused = other.post(path, wav_bytes(2), tenant=owner.name, **fields)
        assert (refused.status, "tenant_mismatch" in json.dumps(refused.body)) == (403, True)

    return trial


def of_all_jobs(owner: Tenant, other: Tenant) -> None:
    """Try the stream of a tenant's jobs: it has the other's own job, and nothing of the owner's."""
    with other.opened("GET", "/v1/events") as stream:
        assert stream.status == 200
        owned = owner.post("/transcribe", wav_bytes(3)).body["job_id"]
        own = other.post("/transcribe", wav_bytes(4)).body["job_id"]
        read = b""
        while f'"{own}"'.encode() not in read or b"completed" not in read:
            read += stream.readline()
        assert owned.encode() not in read


def has_no_tenant(owner: Tenant, other: Tenant) -> None:
    """Show that both tenants get the same answer."""
    assert owner.request("GET", "/v1/models").body == other.request("GET", "/v1/models").body


def of_the_archive(path: str) -> Trial:
    """Return a trial of a route of the archive, which this gateway has not: another tenant cannot be named.

    What is in one is tried in ``tests/flow/front_doors/archive``.
    """

    def trial(owner: Tenant, other: Tenant) -> None:
        assert owner.request("GET", path).reason == other.request("GET", path).reason == "archive_off"
        named = f"{path}{'&' if '?' in path else '?'}tenant={owner.name}"
        refused = other.request("GET", named)
        assert (refused.status, refused.reason) == (403, "tenant_mismatch")

    return trial


def names_the_callers_own_tenant(owner: Tenant, other: Tenant) -> None:
    """Show that each sees its own tenant and rights."""
    for each in (owner, other):
        assert each.request("GET", "/v1/session").body["tenant"] == each.name


def begins_the_callers_own_session(owner: Tenant, other: Tenant) -> None:
    """Show that a session's cookie is the key that began it."""
    with other.opened("POST", "/v1/session") as answer:
        assert answer.status == 204
        cookie = str(answer.getheader("Set-Cookie"))
    assert other.secret in cookie
    assert owner.secret not in cookie


def waits_for_an_enricher(owner: Tenant, other: Tenant) -> None:
    """Try what is refused before a job is started: nobody's result is waited for here."""
    refused = other.post("/transcribe-and-process", wav_bytes(2), profiles="summary", tenant=owner.name)
    assert (refused.status, refused.reason) == (403, "tenant_mismatch")


def _sent(client: Tenant, method: str, path: str, *, body: object) -> Response:
    if body is None:
        return client.request(method, path)
    headers = {**client.credential, "Content-Type": "application/json"}
    return client.gateway.request(method, path, json.dumps(body), headers)


TRIALS: Final[dict[tuple[str, str], Trial]] = {
    ("POST", "/transcribe"): of_a_form("/transcribe"),
    ("POST", "/transcribe-and-process"): waits_for_an_enricher,
    ("POST", "/v1/audio/transcriptions"): of_a_form("/v1/audio/transcriptions", "whisper-1"),
    ("POST", "/v1/audio/translations"): of_a_form("/v1/audio/translations", "whisper-1"),
    ("GET", "/v1/models"): has_no_tenant,
    ("GET", "/v1/models/{model:path}"): has_no_tenant,
    ("POST", "/v1/jobs"): of_a_form("/v1/jobs"),
    ("GET", "/v1/jobs/{job_id}"): of_a_job("GET", "/v1/jobs/{job_id}"),
    ("DELETE", "/v1/jobs/{job_id}"): of_a_job("DELETE", "/v1/jobs/{job_id}"),
    ("GET", "/v1/jobs/{job_id}/events"): of_a_job("GET", "/v1/jobs/{job_id}/events"),
    ("GET", "/v1/jobs/{job_id}/transcript"): of_a_job("GET", "/v1/jobs/{job_id}/transcript"),
    ("GET", "/v1/jobs/{job_id}/audio"): of_a_job("GET", "/v1/jobs/{job_id}/audio"),
    ("GET", "/v1/jobs/{job_id}/enrichments"): of_a_job("GET", "/v1/jobs/{job_id}/enrichments"),
    ("POST", "/v1/jobs/{job_id}/enrich"): of_a_job(
        "POST", "/v1/jobs/{job_id}/enrich", body={"profiles": ["summary"]}
    ),
    ("GET", "/v1/events"): of_all_jobs,
    ("GET", "/v1/jobs"): of_the_archive("/v1/jobs"),
    ("GET", "/v1/search"): of_the_archive("/v1/search?q=words"),
    ("GET", "/v1/usage"): of_the_archive("/v1/usage"),
    ("GET", "/v1/session"): names_the_callers_own_tenant,
    ("POST", "/v1/session"): begins_the_callers_own_session,
}
WITHOUT_A_RIGHT: Final = frozenset({("GET", "/v1/session"), ("POST", "/v1/session")})
"""What every key may do: know itself."""


def protected() -> Iterator[tuple[str, str]]:
    """Yield the routes that need a key."""
    return ((method, path) for method, path in routes() if not is_public(path, method=method))


def test_every_route_that_needs_a_key_is_tried() -> None:
    """A new route needs a trial; one that is gone has none."""
    assert set(protected()) == set(TRIALS)


@pytest.mark.parametrize("route", TRIALS, ids=" ".join)
def test_another_tenant_reaches_nothing(owner: Tenant, other: Tenant, route: tuple[str, str]) -> None:
    """Neither by a job's id nor by an idempotency key, though the other's key has every right."""
    TRIALS[route](owner, other)


@pytest.mark.parametrize("route", TRIALS, ids=" ".join)
def test_no_route_answers_without_a_key_or_without_a_right(
    bench: GatewayBench, gateway: Gateway, job: str, route: tuple[str, str]
) -> None:
    """401 without, and 403 with a key that has no right, to what exists and before any body is read."""
    method, template = route
    path = template.replace("{job_id}", job).replace("{model:path}", "whisper-1")
    body = json.dumps({"uri": "s3://audio/call.wav"}) if method == "POST" else None
    headers = {"Content-Type": "application/json"} if body else {}
    assert gateway.request(method, path, body, headers).status == 401
    if route in WITHOUT_A_RIGHT:
        return
    powerless = tenant(bench, gateway, "owner", rights=())
    assert gateway.request(method, path, body, {**headers, **powerless.credential}).status == 403


PUBLIC: Final = sorted({path for method, path in routes() if method == "GET" and is_public(path)})


@pytest.mark.parametrize("path", PUBLIC)
def test_what_is_public_shows_nothing_of_a_tenant(owner: Tenant, job: str, path: str) -> None:
    """Health and documentation answer without a key, and name no job and no tenant."""
    named = path.replace("{name}", "page.css").replace("{path:path}", "app.js")
    with Tenant("nobody", "", "", owner.gateway).opened("GET", named) as answer:
        text = answer.read().decode()
        assert answer.status == 200
        assert job not in text
