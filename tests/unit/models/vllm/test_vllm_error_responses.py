"""Problems read from error responses, and from exceptions of the HTTP library."""

import inspect

import httpx
import pytest

from models.vllm.servers.client import translate
from models.vllm.servers.error_responses import problem_in_stream, problem_of
from models.vllm.servers.problems import (
    AccessRefused,
    ContextExceeded,
    Overloaded,
    Rejected,
    ServerFailed,
    ServerProblem,
)

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


def test_every_exception_of_the_http_library_is_one_of_our_problems() -> None:
    """A new one in a later release fails this test."""
    roots = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
    kinds = [kind for _, kind in inspect.getmembers(httpx, inspect.isclass) if issubclass(kind, Exception)]
    assert [kind for kind in kinds if not issubclass(kind, roots)] == []
    for kind in (kind for kind in kinds if issubclass(kind, httpx.TransportError)):
        assert isinstance(translate(kind("x"), "http://host"), ServerProblem)
