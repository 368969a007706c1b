"""Errors of the admin client's responses."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumers.kafka.admin import error_of


def _failed(error: object) -> "Future[Any]":
    """Return a response that failed like this."""
    response: Future[Any] = Future()
    response.set_exception(error)  # type: ignore[arg-type]
    return response


def test_a_response_that_succeeded_has_no_error() -> None:
    """Its result can be read without blocking."""
    response: Future[str] = Future()
    response.set_result("answer")
    assert error_of(response, timeout_seconds=0) is None


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_error_of_the_client_is_returned_bare_or_wrapped(*, wrapped: bool) -> None:
    """The client fails some futures with a KafkaError, which is no exception, and others with a KafkaException."""
    error = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    found = error_of(_failed(KafkaException(error) if wrapped else error), timeout_seconds=0)
    assert found is not None
    assert found.code() == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_a_late_response_and_a_foreign_exception_are_errors_of_the_client_too() -> None:
    """Callers handle one kind of failure."""
    late, foreign = error_of(Future(), timeout_seconds=0), error_of(_failed(ValueError("odd")), timeout_seconds=0)
    assert late is not None
    assert late.code() == KafkaError._TIMED_OUT
    assert foreign is not None
    assert (foreign.code(), foreign.str()) == (KafkaError._FAIL, "odd")
