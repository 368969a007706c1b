"""Retries of a question: at a higher temperature after an invalid answer, with less text after a cut-off one."""

from collections import deque
from dataclasses import replace
from typing import Any

import pytest

from models.vllm.enrichment.attempts import ANSWER_ATTEMPTS, RETRY_TEMPERATURE
from schemas.errors import EnrichmentInvalid
from schemas.options import Lane
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble
from tests.contract.vllm.vllm_faults import Fault
from tests.contract.vllm.vllm_opening import Opener


def limits(schema: Any) -> list[int]:
    """Return every length bound in a schema."""
    if isinstance(schema, list):
        return [limit for item in schema for limit in limits(item)]
    if not isinstance(schema, dict):
        return []
    own = [value for name, value in schema.items() if name in ("maxLength", "maxItems") and isinstance(value, int)]
    return own + [limit for value in schema.values() for limit in limits(value)]


def schema_of(body: dict[str, Any]) -> Any:
    """Return the schema of the request."""
    return body["response_format"]["json_schema"]["schema"]


def test_an_invalid_answer_is_requested_again_at_another_temperature(double: VllmDouble, opened: Opener) -> None:
    """Temperature 0 would repeat the answer; after three invalid answers the job fails."""
    double.always = Fault.WRONG_SHAPE
    enricher = opened()
    with pytest.raises(EnrichmentInvalid, match=f"after {ANSWER_ATTEMPTS} answers"):
        enricher.enrich(request_for(enricher, spoken(9), "title", job_id="abc"))
    first, *again = [request.body["temperature"] for request in double.completion_requests]
    assert first == enricher.profiles["title"].temperature < RETRY_TEMPERATURE
    assert again == [RETRY_TEMPERATURE] * (ANSWER_ATTEMPTS - 1)
    assert [request.headers["x-request-id"] for request in double.completion_requests] == [
        "abc:title:1",
        "abc:title:2",
        "abc:title:3",
    ]
    assert len({str(schema_of(request.body)) for request in double.completion_requests}) == 1, (
        "nothing was cut off"
    )


def test_a_cut_off_answer_is_requested_again_with_smaller_bounds(double: VllmDouble, opened: Opener) -> None:
    """The budget halves each time, so that the last attempt fits."""
    double.faults = deque([Fault.CUT_OFF_JSON] * 2)
    enricher = opened()
    enricher.enrich(request_for(enricher, spoken(9), "summary"))
    first, second, third = (sum(limits(schema_of(request.body))) for request in double.completion_requests)
    assert first > second > third


@pytest.mark.parametrize(("lane", "priority"), [(Lane.INTERACTIVE, 0), (Lane.BULK, 1)])
def test_a_priority_is_sent_only_where_it_is_enabled(
    lane: Lane, priority: int, double: VllmDouble, opened: Opener
) -> None:
    """Interactive requests come first; a server without priority scheduling would refuse the field."""
    enricher = opened(priority=True)
    enricher.enrich(replace(request_for(enricher, spoken(9), "title"), lane=lane))
    plain = opened()
    plain.enrich(replace(request_for(plain, spoken(9), "title"), lane=lane))
    assert [request.body.get("priority") for request in double.completion_requests] == [priority, None]


def test_tokens_of_every_attempt_are_counted(double: VllmDouble, opened: Opener) -> None:
    """Failed attempts cost tokens too."""
    double.faults = deque([Fault.WRONG_SHAPE])
    enricher = opened()
    made = enricher.enrich(request_for(enricher, spoken(9), "title", "topics"))
    assert made.usage.requests == len(double.completion_requests) == 3
    assert sorted(result.usage.requests for result in made.results) == [1, 2]
    assert made.usage.prompt_tokens == sum(result.usage.prompt_tokens for result in made.results)
    assert made.usage.completion_tokens == sum(result.usage.completion_tokens for result in made.results) > 0
