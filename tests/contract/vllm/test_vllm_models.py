"""What servers state, and do not state, about the models that they serve."""

import pytest

from models.vllm.enrichment.prompts import SYSTEM_COMPACT
from schemas.errors import EnrichmentInvalid
from schemas.events import EnrichmentStatus
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.http_double import error
from tests.contract.vllm.vllm_double import MODEL, VllmDouble
from tests.contract.vllm.vllm_opening import Opener

REASONING = "<think>They want a summary. <Maybe> of the lamp?</think>\n\n"


def serve_adapter(double: VllmDouble, *, context_of_parent: int | None = None) -> None:
    """Make the double's model an adapter, whose card states no context."""
    parent = {"id": "whole", "max_model_len": context_of_parent, "parent": None}
    adapter = {"id": MODEL, "root": "/adapter", "parent": "whole", "max_model_len": None}
    double.fixed_responses["/v1/models"] = (200, {"data": [parent, adapter]})


@pytest.mark.parametrize(("counts_tokens", "context_of_parent"), [(True, None), (False, 512)])
@pytest.mark.parametrize("words", [30, 600])
def test_the_context_of_an_adapter_is_that_of_its_model(
    words: int, counts_tokens: bool, context_of_parent: int | None, double: VllmDouble, opened: Opener
) -> None:
    """A token count or the parent model's card states it, so that prompts fit at once."""
    double.context_tokens, double.counts_tokens = 512, counts_tokens
    serve_adapter(double, context_of_parent=context_of_parent)
    enricher = opened(model=MODEL)
    made = enricher.enrich(request_for(enricher, spoken(words), "key_points"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED
    assert all(SYSTEM_COMPACT in request.prompt for request in double.completion_requests)


@pytest.mark.parametrize("words", [30, 600])
def test_an_unstated_context_is_learned_from_the_first_refusal(
    words: int, double: VllmDouble, opened: Opener
) -> None:
    """The refused job completes, and the prompts of the next one fit."""
    double.context_tokens, double.counts_tokens = 512, False
    serve_adapter(double)
    enricher = opened(model=MODEL)
    made = enricher.enrich(request_for(enricher, spoken(words), "key_points", "title"))
    assert {result.status for result in made.results} == {EnrichmentStatus.COMPLETED}
    double.requests.clear()
    assert enricher.enrich(request_for(enricher, spoken(30), "title", job_id="next")).results
    assert all(SYSTEM_COMPACT in request.prompt for request in double.completion_requests)


def test_a_template_without_a_system_role_gets_the_same_text(double: VllmDouble, opened: Opener) -> None:
    """The system part precedes the user's, still through the template: only the role is refused."""
    double.takes_system = False
    enricher = opened()
    made = enricher.enrich(request_for(enricher, spoken(300), "title", instruction="Say it."))
    assert {result.status for result in made.results} == {EnrichmentStatus.COMPLETED}
    assert {request.path for request in double.completion_requests} == {"/v1/chat/completions"}
    assert all(request.prompt.startswith("You work on transcripts") for request in double.completion_requests)
    assert enricher.is_up()


def test_a_refused_count_does_not_disable_the_chat_template(double: VllmDouble, opened: Opener) -> None:
    """A gateway may refuse every count with 400: sizes are estimated, and chat requests are sent."""
    double.fixed_responses["/tokenize"] = (400, error("extra inputs are not permitted", "messages"))
    enricher = opened()
    assert enricher.enrich(request_for(enricher, spoken(30), "title")).results
    assert {request.path for request in double.completion_requests} == {"/v1/chat/completions"}


def test_reasoning_is_turned_off_where_templates_allow_it(double: VllmDouble, opened: Opener) -> None:
    """Counts send the same field as completions, so that the template produces the same prompt."""
    enricher = opened()
    enricher.enrich(request_for(enricher, spoken(300), "title"))
    bodies = [request.body for request in double.requests if "messages" in request.body]
    assert {body["chat_template_kwargs"]["enable_thinking"] for body in bodies} == {False}


@pytest.mark.parametrize("answer", ["The lamp is broken.", "<The lamp> is broken.", "A <think> at the end"])
@pytest.mark.parametrize("reasoning", ["", REASONING])
def test_reasoning_before_an_answer_is_no_part_of_it(
    reasoning: str, answer: str, double: VllmDouble, opened: Opener
) -> None:
    """It is neither in the result nor in the stream, which begins with the answer."""
    double.text = reasoning + answer
    enricher = opened()
    request = request_for(enricher, spoken(9), instruction="Summarise.")
    pieces: list[str | None] = []
    streamed = enricher.enrich(request, on_text=lambda _, piece: pieces.append(piece))
    assert "".join(piece or "" for piece in pieces).lstrip() == answer
    assert enricher.enrich(request).results[0].output == streamed.results[0].output
    assert "They want" not in str(streamed.results[0].output)


def test_reasoning_without_an_end_is_no_answer(double: VllmDouble, opened: Opener) -> None:
    """A completion cut off in its reasoning is requested again; nothing is streamed."""
    double.text = "<think>They want a summary"
    enricher = opened()
    pieces: list[str | None] = []
    request = request_for(enricher, spoken(9), instruction="Summarise.")
    with pytest.raises(EnrichmentInvalid, match="an empty answer"):
        enricher.enrich(request, on_text=lambda _, piece: pieces.append(piece))
    assert not any(pieces)
