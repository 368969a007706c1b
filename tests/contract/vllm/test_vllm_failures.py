"""Faults of a server and their effect on the job: nothing is lost, nothing is doubled."""

import threading
from collections import deque

import pytest

from models.vllm.enricher import Enricher
from schemas.errors import (
    DependencyDown,
    EnrichmentFailed,
    EnrichmentInvalid,
    InvalidOptions,
    JobCancelled,
    JobError,
)
from schemas.events import EnrichmentStatus
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.http_double import error
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.contract.vllm.vllm_opening import Opener
from tests.support.waiting import eventually

STREAM_FAULTS = (
    Fault.CUT_CONNECTION,
    Fault.NONSENSE,
    Fault.NONSENSE_USAGE,
    Fault.ENDLESS,
    Fault.ABORTED,
    Fault.FAILED,
    Fault.REFUSAL,
    Fault.TOOL_CALL,
    Fault.REASONING,
)
PASSING = sorted(set(Fault) - {Fault.NONE, Fault.REFUSED})


@pytest.mark.parametrize("fault", PASSING)
def test_a_single_fault_costs_only_a_repeated_request(fault: Fault, double: VllmDouble, opened: Opener) -> None:
    """After one fault and one good completion, the result is there once."""
    double.faults.append(fault)
    enricher = opened(timeout_seconds=1.0 if fault is Fault.HANG else 30.0)
    made = enricher.enrich(request_for(enricher, spoken(30), "key_points"))
    assert [result.status for result in made.results] == [EnrichmentStatus.COMPLETED]
    # Control characters within strings are parsed and removed; a prompt that is too long is split into parts.
    # Unknown finish reasons and content in parts are valid.
    expected = {Fault.CONTROL_CHARACTERS: 1, Fault.TOO_LONG: 3, Fault.ENDED_ODDLY: 1, Fault.PARTS: 1}
    assert len(double.completion_requests) == expected.get(fault, 2)


@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_a_fault_in_a_stream_discards_its_pieces(fault: Fault, double: VllmDouble, opened: Opener) -> None:
    """A listener has only the answer of the second request, however the first one ended."""
    double.faults.append(fault)
    enricher = opened()
    pieces: list[str | None] = []
    request = request_for(enricher, spoken(9), instruction="Repeat it.")
    made = enricher.enrich(request, on_text=lambda _, piece: pieces.append(piece))
    begun = len(pieces) - pieces[::-1].index(None) if None in pieces else 0
    assert "".join(piece or "" for piece in pieces[begun:]) == made.results[0].output
    assert len(double.completion_requests) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.BUSY, DependencyDown),
        (Fault.ERROR, DependencyDown),
        (Fault.GARBAGE, DependencyDown),
        (Fault.NONSENSE, DependencyDown),
        (Fault.NONSENSE_USAGE, DependencyDown),
        (Fault.HANG, DependencyDown),
        (Fault.DISCONNECT, DependencyDown),
        (Fault.CUT_CONNECTION, DependencyDown),
        (Fault.ABORTED, DependencyDown),
        (Fault.FAILED, DependencyDown),
        (Fault.CUT_OFF_JSON, EnrichmentInvalid),
        (Fault.REFUSAL, EnrichmentInvalid),
        (Fault.TOOL_CALL, EnrichmentInvalid),
        (Fault.REASONING, EnrichmentInvalid),
        (Fault.WRONG_SHAPE, EnrichmentInvalid),
        (Fault.REFUSED, EnrichmentInvalid),
        (Fault.TOO_LONG, EnrichmentInvalid),
    ],
)
def test_a_lasting_fault_ends_the_job_after_bounded_requests(
    fault: Fault, error: type[JobError], double: VllmDouble, opened: Opener
) -> None:
    """A server that fails every request pauses intake; one that answers nonsense fails the job with a reason."""
    double.always = fault
    enricher = opened(timeout_seconds=0.3 if fault is Fault.HANG else 30.0)
    with pytest.raises(error):
        enricher.enrich(request_for(enricher, spoken(30), "summary"))
    assert len(double.completion_requests) <= 64


def test_an_error_of_one_request_does_not_pause_intake(
    double: VllmDouble, opened: Opener, pauses: list[float]
) -> None:
    """A server that fails one request four times and answers others is up; only the record is retried later."""
    double.faults = deque([Fault.ERROR] * 4)
    enricher = opened()
    with pytest.raises(EnrichmentFailed, match="EngineCore"):
        enricher.enrich(request_for(enricher, spoken(30), "summary"))
    assert sorted(pauses) == pauses
    assert len(double.completion_requests) == 4


def test_overload_is_retried_more_often_than_a_failure(
    double: VllmDouble, opened: Opener, pauses: list[float]
) -> None:
    """After seven times 503, the eighth response still counts."""
    double.faults = deque([Fault.BUSY] * 7)
    enricher = opened()
    made = enricher.enrich(request_for(enricher, spoken(30), "summary"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED
    assert max(pauses) <= 8.0


def test_a_cancelled_job_closes_its_connection(double: VllmDouble, opened: Opener) -> None:
    """Closing the socket is the only way to end the request in the server."""
    double.always = Fault.HANG
    enricher = opened(timeout_seconds=60.0)
    with pytest.raises(JobCancelled):
        enricher.enrich(
            request_for(enricher, spoken(5), "title"), cancelled=lambda: bool(double.completion_requests)
        )
    eventually(lambda: double.disconnects, timeout_seconds=30, what="the disconnect")


def test_closing_the_enricher_closes_every_connection(double: VllmDouble, opened: Opener) -> None:
    """A process that stops leaves no request running."""
    double.always = Fault.HANG
    enricher = opened(timeout_seconds=60.0)
    ended: list[JobCancelled] = []

    def work() -> None:
        try:
            enricher.enrich(request_for(enricher, spoken(5), "title"))
        except JobCancelled as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    eventually(lambda: double.completion_requests, timeout_seconds=30)
    enricher.close()
    thread.join(30)
    assert len(ended) == 1
    eventually(lambda: double.disconnects, timeout_seconds=30)


def test_a_base_model_gets_completion_requests(opened: Opener) -> None:
    """A model without a chat template takes no messages."""
    with running(VllmDouble(has_chat=False)) as base_model:
        enricher = opened(base_url=base_model.base_url)
        made = enricher.enrich(request_for(enricher, spoken(200), "title", instruction="Say it."))
    assert {result.status for result in made.results} == {EnrichmentStatus.COMPLETED}
    assert {request.path for request in base_model.completion_requests} == {"/v1/completions"}


def test_a_gateway_without_token_counts_is_usable(opened: Opener) -> None:
    """Sizes are estimated, and prompts that the server finds too long are split."""
    with running(VllmDouble(counts_tokens=False)) as server:
        enricher = opened(base_url=server.base_url)
        made = enricher.enrich(request_for(enricher, spoken(300), "title"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED
    assert made.results[0].coverage == 1.0


@pytest.mark.parametrize("status", [405, 501])
def test_a_server_that_refuses_to_count_is_usable(status: int, double: VllmDouble, opened: Opener) -> None:
    """Whatever status a gateway has for an unknown path, sizes are estimated and requests stay the same."""
    double.fixed_responses["/tokenize"] = (status, "no such method")
    enricher = opened()
    made = enricher.enrich(request_for(enricher, spoken(300), "title"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED
    assert {request.path for request in double.completion_requests} == {"/v1/chat/completions"}


@pytest.mark.parametrize("param", ["input_tokens", None])
def test_a_prompt_that_the_server_refuses_to_count_is_estimated(
    param: str | None, double: VllmDouble, opened: Opener
) -> None:
    """A server that counts at first and refuses later, for the length or anything else, fails no job."""
    enricher = opened()
    assert enricher.enrich(request_for(enricher, spoken(5), "title")).results
    double.fixed_responses["/tokenize"] = (400, error("This one cannot be counted.", param))
    made = enricher.enrich(request_for(enricher, spoken(2_000), "title"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED


def test_the_tasks_of_a_transcript_share_their_prefix(double: VllmDouble, opened: Opener) -> None:
    """Prompts are system, transcript, task: only the end differs, and the first is sent before the others."""
    enricher = opened(priority=True)
    enricher.enrich(request_for(enricher, spoken(40), "summary", "topics", "title", job_id="abc"))
    prompts = [request.prompt for request in double.completion_requests]
    prefix = prompts[0][: prompts[0].rindex("=====")]
    assert all(prompt.startswith(prefix) for prompt in prompts)
    assert double.completion_requests[0].headers["x-request-id"].startswith("abc:summary:")
    assert {request.body["cache_salt"] for request in double.completion_requests} == {"default"}
    assert {request.body["priority"] for request in double.completion_requests} == {1}
    assert not any(
        "guided_json" in request.body or "seed" in request.body for request in double.completion_requests
    )


def test_the_prompts_of_a_retried_job_begin_as_before(double: VllmDouble, opened: Opener) -> None:
    """A retry or a second instruction hits the server's prefix cache; no other job or process can."""

    def prefix_of(enricher: Enricher, job_id: str, task: str) -> str:
        enricher.enrich(request_for(enricher, spoken(30), instruction=task, job_id=job_id))
        prompt = double.completion_requests[-1].prompt
        return prompt[: prompt.rindex("=====")]

    enricher = opened()
    first = prefix_of(enricher, "one", "Summarise.")
    assert prefix_of(enricher, "one", "Translate.") == first
    assert prefix_of(enricher, "two", "Summarise.") != first
    assert prefix_of(opened(), "one", "Summarise.") != first


def test_an_unknown_profile_is_an_invalid_option(opened: Opener) -> None:
    """The message lists the known profiles."""
    enricher = opened()
    with pytest.raises(InvalidOptions, match="summary"):
        request_for(enricher, spoken(5), "poetry")
