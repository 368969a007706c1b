"""Which hosts and web pages are answered, and the headers that every answer has."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx
import pytest
from pydantic import ValidationError

from producers.gateway.access.hosts import HostRule, OriginRule, host_name
from producers.gateway.app import create_app
from producers.gateway.services import Services
from schemas.settings import GatewaySettings
from schemas.settings.gateway import is_loopback

PAGE = "https://app.example"
HERE = "127.0.0.1"


class Healthy:
    """Services that all answer."""

    async def up(self) -> dict[str, bool]:
        """As the real one."""
        return {"kafka": True}


@asynccontextmanager
async def open_services() -> AsyncIterator[Services]:
    """Open services for routes that start no job."""
    services = SimpleNamespace(jobs=None, dependencies=Healthy(), archive=None)
    yield services  # type: ignore[misc]


def asked(
    headers: Mapping[str, str], *, method: str = "GET", path: str = "/health", **settings: object
) -> httpx.Response:
    """Send one request to a gateway with these settings, over no socket."""
    app = create_app(GatewaySettings.model_validate(settings), open_services=open_services)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=f"http://{HERE}:8001") as client,
        ):
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("host", "is_accepted"),
    [
        ("localhost", True),
        ("localhost:8001", True),
        ("LocalHost.", True),
        ("kascribe.localhost", True),
        ("127.0.0.1:8001", True),
        ("127.1.2.3", True),
        ("[::1]:8001", True),
        ("", True),
        ("attacker.example", False),
        ("localhost.attacker.example", False),
        ("localhost@attacker.example", False),
        ("attacker.example@localhost", False),
        ("localhost:port", False),
        ("localhost/..", False),
        ("192.0.2.7", False),
        ("[::1", False),
    ],
)
def test_a_gateway_on_loopback_answers_under_loopback_names(host: str, is_accepted: bool) -> None:
    """The name of a web page whose owner lets it resolve to this machine is refused (DNS rebinding)."""
    assert HostRule(HERE).accepts(host, local_address=HERE) is is_accepted


def test_a_gateway_on_loopback_answers_under_the_name_it_was_told_to_listen_on() -> None:
    """A name in /etc/hosts that means this machine is no loopback name by itself, and is refused elsewhere."""
    assert is_loopback("localhost")
    assert not is_loopback("workstation")
    assert HostRule("127.0.0.5").accepts("127.0.0.5:8001", local_address="127.0.0.5")


def test_a_gateway_on_the_network_answers_under_any_name_or_those_that_are_listed() -> None:
    """Names are compared without ports; the address that an orchestrator's probe uses is accepted as well."""
    anyone, listed = HostRule("0.0.0.0"), HostRule("0.0.0.0", ("asr.example",))  # noqa: S104
    assert anyone.accepts("whatever.example", local_address="10.0.0.5")
    assert listed.accepts("asr.example:443", local_address="10.0.0.5")
    assert listed.accepts("10.0.0.5:8001", local_address="10.0.0.5")
    assert not listed.accepts("other.example", local_address="10.0.0.5")


@pytest.mark.parametrize("authority", ["a b", "a:b:c", "[::1", "a/b", "a:99999", "u@a"])
def test_a_host_that_cannot_be_read_has_no_name(authority: str) -> None:
    """It is refused wherever names are compared, and never guessed."""
    assert host_name(authority) in (None, authority)
    assert not HostRule(HERE).accepts(authority, local_address=HERE)


@pytest.mark.parametrize(
    ("headers", "is_accepted"),
    [
        ({}, True),
        ({"origin": "http://localhost:8001", "host": "localhost:8001"}, True),
        ({"origin": "https://localhost:8001", "host": "localhost:8001"}, True),
        ({"origin": "http://localhost:3000", "host": "localhost:8001"}, False),
        ({"origin": "null", "host": "localhost:8001"}, False),
        ({"origin": "", "host": ""}, False),
        ({"origin": "https://evil.example", "host": "localhost:8001"}, False),
        ({"origin": PAGE, "host": "localhost:8001"}, True),
        ({"origin": f"{PAGE}.evil.example", "host": "localhost:8001"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, False),
    ],
)
def test_web_pages_of_other_origins_send_nothing(headers: Mapping[str, str], is_accepted: bool) -> None:
    """Programs send no such headers and are answered; so are a page of ours, allowed pages and followed links."""
    assert OriginRule((PAGE,)).accepts(headers, method="GET") is is_accepted


def test_a_form_that_another_site_submits_is_no_followed_link() -> None:
    """Browsers without Origin on forms would otherwise post for another site."""
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert not OriginRule().accepts(headers, method="POST")


@pytest.mark.parametrize(
    ("headers", "status", "reason", "setting"),
    [
        ({"Host": "attacker.example"}, 421, "host_not_allowed", "KASCRIBE_GATEWAY_ALLOWED_HOSTS"),
        ({"Origin": "https://evil.example"}, 403, "origin_not_allowed", "KASCRIBE_GATEWAY_ALLOWED_ORIGINS"),
    ],
)
def test_a_refusal_names_the_setting(headers: Mapping[str, str], status: int, reason: str, setting: str) -> None:
    """Whoever meant to allow the name or the page learns how."""
    answer = asked(headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["reason"]) == (status, reason)
    assert setting in error["message"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("GET", "/nowhere"), ("POST", "/transcribe")])
def test_every_answer_has_the_security_headers(method: str, path: str) -> None:
    """Answers and failures: no sniffing, no framing, no scripts, no referrer, no cache."""
    answer = asked({}, method=method, path=path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_an_allowed_page_may_send_requests_and_read_the_answers() -> None:
    """The preflight is answered before any key is required, and names what the API's headers are."""
    preflight = asked(
        {
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, idempotency-key",
        },
        method="OPTIONS",
        path="/transcribe",
        allowed_origins=(PAGE,),
        keys="required",
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    answer = asked({"Origin": PAGE}, allowed_origins=(PAGE,))
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "X-Trace-Id" in answer.headers["access-control-expose-headers"]


def test_without_a_setting_no_page_is_allowed() -> None:
    """A preflight of another origin is refused, and nothing tells the browser to go on."""
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    answer = asked(headers, method="OPTIONS", path="/transcribe")
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control-allow")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"allowed_hosts": ("https://asr.example",)},
        {"allowed_hosts": ("asr.example:8001",)},
        {"allowed_hosts": ("*",)},
        {"allowed_origins": ("app.example",)},
        {"allowed_origins": ("https://app.example/page",)},
        {"allowed_origins": ("*",)},
    ],
)
def test_names_and_origins_that_would_never_match_are_refused_at_start(wrong: dict[str, object]) -> None:
    """A setting without effect would look like a closed door, or an open one."""
    with pytest.raises(ValidationError, match="Input should"):
        GatewaySettings.model_validate(wrong)


def test_names_and_origins_are_compared_without_case_and_final_slash() -> None:
    """As people write them."""
    settings = GatewaySettings.model_validate(
        {"allowed_hosts": ("ASR.example.", "[::1]"), "allowed_origins": ("https://App.example/",)}
    )
    assert (settings.allowed_hosts, settings.allowed_origins) == (("asr.example", "::1"), (PAGE,))


def test_without_keys_there_is_nothing_to_sign_in_to() -> None:
    """No cookie is set, and the caller may do everything."""
    begun = asked({}, method="POST", path="/v1/session")
    assert (begun.status_code, "set-cookie" in begun.headers) == (204, False)
    session = asked({}, path="/v1/session").json()
    assert (session["keys"], session["is_signed_in"], session["tenant"]) == ("off", False, None)
    assert "delete" in session["rights"]
