"""What servers say, and do not say, of the models that they serve."""

import pytest

from models.vllm.enrichment.prompts import SYSTEM_COMPACT
from schemas.errors import EnrichmentInvalid
from schemas.events import EnrichmentStatus
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.http_double import error
from tests.contract.vllm.vllm_double import MODEL, VllmDouble
from tests.contract.vllm.vllm_opening import Opener

THOUGHTS = "<think>They want a summary. <Maybe> of the lamp?</think>\n\n"


def serve_adapter(double: VllmDouble, *, context_of_parent: int | None = None) -> None:
    """The double's model is an adapter, whose card tells no context."""
    parent = {"id": "whole", "max_model_len": context_of_parent, "parent": None}
    adapter = {"id": MODEL, "root": "/adapter", "parent": "whole", "max_model_len": None}
    double.instead["/v1/models"] = (200, {"data": [parent, adapter]})


@pytest.mark.parametrize(("counts_tokens", "context_of_parent"), [(True, None), (False, 512)])
@pytest.mark.parametrize("words", [30, 600])
def test_the_context_of_an_adapter_is_that_of_its_model(
    words: int, counts_tokens: bool, context_of_parent: int | None, double: VllmDouble, opened: Opener
) -> None:
    """Told with a count, or by the card of the model that it adapts: prompts fit at once."""
    double.context_tokens, double.counts_tokens = 512, counts_tokens
    serve_adapter(double, context_of_parent=context_of_parent)
    enricher = opened(model=MODEL)
    made = enricher.enrich(request_for(enricher, spoken(words), "key_points"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED
    assert all(SYSTEM_COMPACT in request.prompt for request in double.asked)


@pytest.mark.parametrize("words", [30, 600])
def test_a_context_that_nobody_tells_is_learned_from_the_first_refusal(
    words: int, double: VllmDouble, opened: Opener
) -> None:
    """The job that met it completes, and the next one is asked in prompts that fit."""
    double.context_tokens, double.counts_tokens = 512, False
    serve_adapter(double)
    enricher = opened(model=MODEL)
    made = enricher.enrich(request_for(enricher, spoken(words), "key_points", "title"))
    assert {result.status for result in made.results} == {EnrichmentStatus.COMPLETED}
    double.requests.clear()
    assert enricher.enrich(request_for(enricher, spoken(30), "title", job_id="next")).results
    assert all(SYSTEM_COMPACT in request.prompt for request in double.asked)


def test_a_template_without_a_system_role_gets_the_same_words(double: VllmDouble, opened: Opener) -> None:
    """Before the user's, through the template still: a refusal of a role is no lack of a template."""
    double.takes_system = False
    enricher = opened()
    made = enricher.enrich(request_for(enricher, spoken(300), "title", instruction="Say it."))
    assert {result.status for result in made.results} == {EnrichmentStatus.COMPLETED}
    assert {request.path for request in double.asked} == {"/v1/chat/completions"}
    assert all(request.prompt.startswith("You work on transcripts") for request in double.asked)
    assert enricher.is_up()


def test_a_request_that_cannot_be_counted_says_nothing_of_templates(double: VllmDouble, opened: Opener) -> None:
    """A gateway's 400 for any count: sizes are estimated, and the model is asked through its template."""
    double.instead["/tokenize"] = (400, error("extra inputs are not permitted", "messages"))
    enricher = opened()
    assert enricher.enrich(request_for(enricher, spoken(30), "title")).results
    assert {request.path for request in double.asked} == {"/v1/chat/completions"}


def test_models_that_can_be_told_not_to_think_are(double: VllmDouble, opened: Opener) -> None:
    """In counts as in questions, since the template writes otherwise for either."""
    enricher = opened()
    enricher.enrich(request_for(enricher, spoken(300), "title"))
    bodies = [request.body for request in double.requests if "messages" in request.body]
    assert {body["chat_template_kwargs"]["enable_thinking"] for body in bodies} == {False}


@pytest.mark.parametrize("answer", ["The lamp is broken.", "<The lamp> is broken.", "A <think> at the end"])
@pytest.mark.parametrize("thoughts", ["", THOUGHTS])
def test_what_a_model_thinks_before_its_answer_is_no_part_of_it(
    thoughts: str, answer: str, double: VllmDouble, opened: Opener
) -> None:
    """Neither in the result nor in the stream, which begins with the answer."""
    double.text = thoughts + answer
    enricher = opened()
    request = request_for(enricher, spoken(9), instruction="Summarise.")
    pieces: list[str | None] = []
    heard = enricher.enrich(request, on_text=lambda _, piece: pieces.append(piece))
    assert "".join(piece or "" for piece in pieces).lstrip() == answer
    assert enricher.enrich(request).results[0].output == heard.results[0].output
    assert "They want" not in str(heard.results[0].output)


def test_thoughts_without_an_end_are_no_answer(double: VllmDouble, opened: Opener) -> None:
    """Cut off while it thought, the model is asked again; there is nothing to stream."""
    double.text = "<think>They want a summary"
    enricher = opened()
    pieces: list[str | None] = []
    request = request_for(enricher, spoken(9), instruction="Summarise.")
    with pytest.raises(EnrichmentInvalid, match="an empty answer"):
        enricher.enrich(request, on_text=lambda _, piece: pieces.append(piece))
    assert not any(pieces)
