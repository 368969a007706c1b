"""Requests to language model servers: which server, what problems mean, estimates, and profile files."""

import inspect
import math
from pathlib import Path

import httpx
import pytest

from models.vllm.enrichment.profiles import load_profiles
from models.vllm.enrichment.token_estimate import TokenEstimate, estimate_from
from models.vllm.servers.client import translate
from models.vllm.servers.error_responses import problem_in_stream, problem_of
from models.vllm.servers.pool import addresses, ranked
from models.vllm.servers.problems import (
    AccessRefused,
    ContextExceeded,
    Overloaded,
    Rejected,
    ServerFailed,
    ServerProblem,
)
from models.vllm.servers.responses import CompletionBuilder, read_completion, read_delta, read_json
from schemas.errors import ConfigurationError
from schemas.settings import VllmSettings

TOO_LONG = (
    b'{"error":{"message":"This model\'s maximum context length is 512 tokens. However, your prompt contains at '
    b'least 513 input tokens","type":"BadRequestError","param":"input_tokens","code":400}}'
)


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (400, TOO_LONG, ContextExceeded),
        (400, b'{"error":{"message":"bad schema","param":null}}', Rejected),
        (401, b'{"error":"Unauthorized"}', AccessRefused),
        (404, b'{"error":{"message":"The model `nope` does not exist."}}', AccessRefused),
        (404, b'{"detail":"Not Found"}', AccessRefused),
        (403, b"<html>", AccessRefused),
        (405, b"Method Not Allowed", AccessRefused),
        (407, b"", AccessRefused),
        (408, b"", ServerFailed),
        (409, b"", ServerFailed),
        (425, b"", ServerFailed),
        (418, b"", Rejected),
        (422, b"", Rejected),
        (429, b"slow down", Overloaded),
        (500, b'{"error":{"message":"EngineCore encountered an issue"}}', ServerFailed),
        (501, b"", AccessRefused),
        (502, b"<html>", ServerFailed),
        (503, b'{"error":{"message":"Service Unavailable"}}', Overloaded),
    ],
)
def test_a_status_means_one_problem(status: int, body: bytes, problem: type[ServerProblem]) -> None:
    """Status and parameter decide; the message quotes the server."""
    assert type(problem_of(status, body)) is problem


def test_retry_after_is_honoured_within_a_limit() -> None:
    """It is in seconds; a date or nonsense is ignored."""
    waits = [problem_of(503, b"", retry_after=value) for value in ("3", "9999", "soon", None)]
    assert [wait.retry_after_seconds for wait in waits if isinstance(wait, Overloaded)] == [3.0, 60.0, None, None]


def test_an_error_within_a_stream_is_a_problem() -> None:
    """After a 200 began, errors come as data."""
    assert isinstance(problem_in_stream({"error": {"message": "x", "code": 500}}), ServerFailed)
    assert isinstance(problem_in_stream({"error": "dead"}), ServerFailed)
    assert problem_in_stream({"choices": []}) is None
    assert problem_in_stream({"choices": [], "error": None}) is None


TEXT = {"text": "x"}


@pytest.mark.parametrize(
    "payload",
    [
        *(None, [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [None]}, {"choices": [{"message": 1}]}),
        *({"choices": [TEXT], "usage": {"prompt_tokens": tokens}} for tokens in ("many", [1], math.inf)),
    ],
)
def test_an_answer_of_another_shape_is_a_failure_of_the_server(payload: object) -> None:
    """Reading it raises no KeyError or other exception."""
    with pytest.raises(ServerFailed):
        read_completion(payload)


@pytest.mark.parametrize(
    "payload",
    [
        *(None, [], {"choices": 1}, {"choices": [None]}, {"choices": [{"delta": "x"}]}),
        *(
            {"choices": [TEXT], "usage": usage}
            for usage in ({"prompt_tokens": "many"}, {"completion_tokens": {}, "prompt_tokens": [1]})
        ),
    ],
)
def test_a_part_of_a_stream_of_another_shape_is_a_failure_of_the_server(payload: object) -> None:
    """The same holds as for whole completions."""
    with pytest.raises(ServerFailed):
        read_delta(payload, CompletionBuilder())


def test_garbage_is_a_failure_of_the_server() -> None:
    """Bytes may be no JSON, or JSON nested without end."""
    for raw in (b"\xff\x00<html>", b"", b"[" * 100_000):
        with pytest.raises(ServerFailed):
            read_json(raw)


def test_every_exception_of_the_http_library_is_one_of_our_problems() -> None:
    """A new one in a later release fails this test."""
    roots = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
    kinds = [kind for _, kind in inspect.getmembers(httpx, inspect.isclass) if issubclass(kind, Exception)]
    assert [kind for kind in kinds if not issubclass(kind, roots)] == []
    for kind in (kind for kind in kinds if issubclass(kind, httpx.TransportError)):
        assert isinstance(translate(kind("x"), "http://host"), ServerProblem)


def test_the_error_for_a_missing_address_names_the_variable() -> None:
    """It is KASCRIBE_VLLM_BASE_URL."""
    with pytest.raises(ConfigurationError, match="KASCRIBE_VLLM_BASE_URL"):
        addresses(VllmSettings())
    assert addresses(VllmSettings(base_url="http://a:1/v1/, http://b:2")) == ["http://a:1", "http://b:2"]


def test_removing_a_server_moves_only_its_own_transcripts() -> None:
    """Rendezvous hashing keeps the other servers' prefix caches useful."""
    urls = [f"http://host-{number}" for number in range(4)]
    jobs = [f"job-{number}" for number in range(400)]
    before = {job: urls[ranked(urls, job)[0]] for job in jobs}
    after = {job: urls[:3][ranked(urls[:3], job)[0]] for job in jobs}
    assert {before[job] for job in jobs if before[job] != after[job]} == {urls[3]}
    assert all(60 <= sum(url == found for found in before.values()) <= 140 for url in urls)


def test_an_estimate_is_rather_too_large_than_too_small() -> None:
    """One token per byte is an upper bound."""
    estimate = estimate_from(["한국어", "words"], [9, 2])
    assert estimate("한국어") >= 8
    assert TokenEstimate()("abc") == 3
    assert estimate_from(["x"], [5]).is_a_bound


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'x'", "version"),
        ("not toml", "cannot be read"),
        ("name='X Y'\nversion='1'\ntask='t'\nschema='{}'", "name"),
        ("name='x'\nversion='1'\ntask='t'\nschema='{'", "cannot be read"),
        ("name='x'\nversion='1'\ntask='t'\nschema='{\"type\": \"strin\"}'", "schema"),
        ("name='x'\nversion='1'\ntask='t'\nschema='{\"type\": \"array\"}'", "object"),
        ("name='x'\nversion='1'\ntask='t'\nschema='{\"type\": \"object\"}'\ncolour='red'", "colour"),
    ],
)
def test_the_error_for_an_unusable_profile_names_its_file(text: str, words: str, tmp_path: Path) -> None:
    """It is raised at start, not with the first transcript."""
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words) as raised:
        load_profiles(tmp_path)
    assert "mine.toml" in str(raised.value)


def test_a_users_profile_overrides_a_built_in_one_by_name(tmp_path: Path) -> None:
    """The other built-in profiles remain."""
    text = "name='title'\nversion='9'\ntask='Shout.'\nschema='{\"type\": \"object\"}'"
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    profiles = load_profiles(tmp_path)
    assert profiles["title"].version == "9"
    assert "summary" in profiles
