"""Requests with API keys: admitted, refused and limited, on keys in a real bucket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Scope

from producers.api_keys.key import KeyLimits
from producers.api_keys.rights import Right
from producers.api_keys.secrets import new_secret
from producers.gateway.access.attempts import FAILURES_PER_ADDRESS
from producers.gateway.access.caller import caller_of
from tests.contract.access.access_bench import PROBE, AccessBench, Scenario, play, reason_in
from tests.support.object_store import ObjectStore

Run = Callable[[Scenario], None]


async def endless(begun: asyncio.Event) -> AsyncIterator[str]:
    """Yield one event, and then no other."""
    begun.set()
    yield ": hello\n\n"
    await asyncio.Event().wait()


def stream_scope(secret: str) -> Scope:
    """Return the scope of a request for the stream, as uvicorn builds it."""
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {secret}".encode())]
    path = "/v1/test/events"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("192.0.2.1", 50_000),
        "server": ("127.0.0.1", 8001),
    }


@pytest.fixture
def run(moto_store: ObjectStore) -> Run:
    """Return a runner of scenarios, each with a bucket of its own."""

    def run_one(scenario: Scenario) -> None:
        asyncio.run(play(moto_store.settings(), moto_store, scenario))

    return run_one


def test_a_key_lets_requests_in_and_decides_their_tenant(run: Run) -> None:
    """As a bearer token, in any case of the scheme, or as X-Api-Key."""

    async def scenario(bench: AccessBench) -> None:
        gateway, secret = await bench.replica(), bench.issue(tenant="acme")
        for headers in (
            {"Authorization": f"Bearer {secret}"},
            {"Authorization": f"bearer  {secret} "},
            {"X-Api-Key": secret},
            {"Authorization": "Basic dXNlcg==", "X-Api-Key": secret},
        ):
            answer = await gateway.ask(headers=headers, content=b"12345")
            assert (answer.status_code, answer.json()) == (200, {"tenant": "acme", "bytes": 5})

    run(scenario)


def test_requests_without_an_accepted_key_are_refused_whatever_they_ask_for(run: Run) -> None:
    """401 with the challenge of RFC 6750, on routes that exist and on others; health needs none."""

    async def scenario(bench: AccessBench) -> None:
        gateway = await bench.replica()
        for path in (PROBE, "/transcribe", "/nowhere", "/transcribe/"):
            answer = await gateway.ask(path=path)
            assert (answer.status_code, reason_in(answer)) == (401, "key_missing")
            assert answer.headers["www-authenticate"] == 'Bearer realm="kascribe"'
        for wrong in (new_secret(), "kas_short", "sk-something", "kas_" + "ü" * 43):
            answer = await gateway.ask(headers={"X-Api-Key": wrong.encode()})
            assert (answer.status_code, reason_in(answer)) == (401, "key_invalid")
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
            assert wrong not in answer.text
        assert (await gateway.ask(path="/health", method="GET")).status_code == 200

    run(scenario)


def test_a_right_that_the_key_lacks_is_refused_by_name(run: Run) -> None:
    """403: another key might be let in."""

    async def scenario(bench: AccessBench) -> None:
        gateway, secret = await bench.replica(), bench.issue(rights=(Right.TRANSCRIBE,))
        answer = await gateway.ask(secret)
        assert (answer.status_code, reason_in(answer)) == (403, "right_missing")
        assert "read" in answer.json()["error"]["message"]

    run(scenario)


def test_a_revoked_or_expired_key_is_refused_within_ten_seconds(run: Run) -> None:
    """At every gateway, and the answer says what became of the key."""

    async def scenario(bench: AccessBench) -> None:
        gateways = [await bench.replica(), await bench.replica()]
        revoked = bench.issue("k1")
        expiring = bench.issue("k2", expires_at=bench.clock.now() + timedelta(seconds=5))
        for gateway in gateways:
            assert (await gateway.ask(revoked)).status_code == (await gateway.ask(expiring)).status_code == 200
        bench.keys.revoke("k1", now=bench.clock.now())
        bench.clock.seconds += 10
        for gateway in gateways:
            assert reason_in(await gateway.ask(revoked)) == "key_revoked"
            assert reason_in(await gateway.ask(expiring)) == "key_expired"

    run(scenario)


def test_without_the_bucket_a_known_key_goes_on_and_others_wait(run: Run, moto_store: ObjectStore) -> None:
    """503 with Retry-After for a key that is not remembered: 401 would make a client throw it away."""

    async def scenario(bench: AccessBench) -> None:
        gateway, known, other = await bench.replica(), bench.issue("k1"), bench.issue("k2")
        assert (await gateway.ask(known)).status_code == 200
        for name in moto_store.keys(bench.settings.bucket):
            moto_store.client.delete_object(Bucket=bench.settings.bucket, Key=name)
        moto_store.client.delete_bucket(Bucket=bench.settings.bucket)
        assert (await gateway.ask(known)).status_code == 200
        answer = await gateway.ask(other)
        assert (answer.status_code, reason_in(answer)) == (503, "dependency_down")
        assert answer.headers["retry-after"]
        bench.clock.seconds += 10
        assert (await gateway.ask(known)).status_code == 503

    run(scenario)


def test_a_flood_of_wrong_keys_reads_little_and_logs_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """An address with too many failures waits; a key that is known there goes on."""

    async def scenario(bench: AccessBench) -> None:
        gateway, known = await bench.replica(), bench.issue()
        assert (await gateway.ask(known)).status_code == 200
        answers = [await gateway.ask(new_secret()) for _ in range(FAILURES_PER_ADDRESS + 20)]
        reasons = [reason_in(answer) for answer in answers]
        assert reasons == ["key_invalid"] * FAILURES_PER_ADDRESS + ["too_many_failures"] * 20
        assert answers[-1].status_code == 429
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        assert (await gateway.ask(known)).status_code == 200
        bench.clock.seconds += 60
        assert reason_in(await gateway.ask(new_secret())) == "key_invalid"

    run(scenario)
    logged = [line for line in capsys.readouterr().out.splitlines() if "API keys refused" in line]
    assert len(logged) == 2
    assert "kas_" not in "".join(logged)


def test_a_rate_is_told_and_kept(run: Run) -> None:
    """The fields of RateLimit on each answer; 429 with Retry-After above it."""

    async def scenario(bench: AccessBench) -> None:
        gateway, secret = await bench.replica(), bench.issue(limits=KeyLimits(requests_per_minute=2))
        answers = [await gateway.ask(secret) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"requests";q=2;w=60'
        assert answers[0].headers["ratelimit"] == '"requests";r=1;t=61'
        assert (reason_in(answers[2]), answers[2].headers["retry-after"]) == ("rate_limited", "60")

    run(scenario)


def test_bytes_of_a_day_are_counted_over_gateways_and_restarts(run: Run) -> None:
    """What one received counts at the other after an exchange, and at a gateway that starts later."""

    async def scenario(bench: AccessBench) -> None:
        one, two = await bench.replica(), await bench.replica()
        secret = bench.issue(limits=KeyLimits(bytes_per_day=1_000))
        assert (await one.ask(secret, content=b"x" * 600)).status_code == 200
        assert (await two.ask(secret, content=b"x" * 100)).status_code == 200
        await one.gate.usage.exchange()
        await two.gate.usage.exchange()
        answer = await two.ask(secret, content=b"x" * 301)
        assert (answer.status_code, reason_in(answer)) == (429, "bytes_per_day_exceeded")
        three = await bench.replica()
        assert (await three.ask(secret, content=b"x" * 301)).status_code == 429
        assert (await three.ask(secret, content=b"x" * 300)).status_code == 200

    run(scenario)


def test_a_page_of_an_allowed_origin_can_read_why_it_was_refused(run: Run) -> None:
    """Without these headers a browser shows its script a network error."""

    async def scenario(bench: AccessBench) -> None:
        gateway = await bench.replica(allowed_origins=("https://app.example",))
        answer = await gateway.ask(headers={"Origin": "https://app.example"})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert answer.headers["x-content-type-options"] == "nosniff"

    run(scenario)


def test_a_stream_of_events_ends_when_its_key_is_revoked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds a stream's slot until then, and no request's; its answer ends as it should."""
    monkeypatch.setattr("producers.gateway.access.middleware.RECHECK_SECONDS", 0.01)

    async def scenario(bench: AccessBench) -> None:
        gateway = await bench.replica()
        secret = bench.issue(limits=KeyLimits(concurrent_requests=1, concurrent_streams=1))
        begun, messages = asyncio.Event(), list[Message]()

        @gateway.app.get("/v1/test/events")
        async def events(request: Request) -> StreamingResponse:
            caller_of(request, Right.READ)
            return StreamingResponse(endless(begun), media_type="text/event-stream")

        async def send(message: Message) -> None:
            messages.append(message)

        stream = asyncio.create_task(gateway.app(stream_scope(secret), asyncio.Event().wait, send))  # type: ignore[arg-type]
        await begun.wait()
        assert gateway.gate.limits.in_progress("k1") == (0, 1)
        answer = await gateway.ask(secret, path="/v1/test/events", method="GET")
        assert (answer.status_code, reason_in(answer)) == (429, "too_many_streams")
        assert (await gateway.ask(secret)).status_code == 200
        bench.keys.revoke("k1", now=bench.clock.now())
        bench.clock.seconds += 10
        async with asyncio.timeout(20):
            await stream
        assert messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
        assert gateway.gate.limits.in_progress("k1") == (0, 0)

    run(scenario)
