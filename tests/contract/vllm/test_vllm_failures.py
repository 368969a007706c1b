"""What a server can do to a request, and what becomes of the job: nothing lost, nothing doubled."""

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
def test_a_fault_that_passes_costs_nothing_but_a_repeated_request(
    fault: Fault, double: VllmDouble, opened: Opener
) -> None:
    """One bad answer, then a good one: the result is there, once."""
    double.faults.append(fault)
    enricher = opened(timeout_seconds=1.0 if fault is Fault.HANG else 30.0)
    made = enricher.enrich(request_for(enricher, spoken(30), "key_points"))
    assert [result.status for result in made.results] == [EnrichmentStatus.COMPLETED]
    # Control characters within strings are parsed and removed; a prompt that is too long is asked in parts.
    # An ending of the server's own and content in parts are answers.
    expected = {Fault.CONTROL_CHARACTERS: 1, Fault.TOO_LONG: 3, Fault.ENDED_ODDLY: 1, Fault.PARTS: 1}
    assert len(double.asked) == expected.get(fault, 2)


@pytest.mark.parametrize("fault", STREAM_FAULTS)
def test_a_fault_in_a_stream_takes_back_what_was_said(fault: Fault, double: VllmDouble, opened: Opener) -> None:
    """Whoever listens hears the answer of the second request alone, however the first one ended."""
    double.faults.append(fault)
    enricher = opened()
    pieces: list[str | None] = []
    request = request_for(enricher, spoken(9), instruction="Repeat it.")
    made = enricher.enrich(request, on_text=lambda _, piece: pieces.append(piece))
    begun = len(pieces) - pieces[::-1].index(None) if None in pieces else 0
    assert "".join(piece or "" for piece in pieces[begun:]) == made.results[0].output
    assert len(double.asked) == 2


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
def test_a_fault_that_stays_has_a_bounded_end(
    fault: Fault, error: type[JobError], double: VllmDouble, opened: Opener
) -> None:
    """A server that fails everybody pauses intake; one that answers nonsense ends the job with a reason."""
    double.always = fault
    enricher = opened(timeout_seconds=0.3 if fault is Fault.HANG else 30.0)
    with pytest.raises(error):
        enricher.enrich(request_for(enricher, spoken(30), "summary"))
    assert len(double.asked) <= 64


def test_an_error_of_one_request_is_its_own(double: VllmDouble, opened: Opener, pauses: list[float]) -> None:
    """Four failures of a server that answers others: the record is tried again later, intake goes on."""
    double.faults = deque([Fault.ERROR] * 4)
    enricher = opened()
    with pytest.raises(EnrichmentFailed, match="EngineCore"):
        enricher.enrich(request_for(enricher, spoken(30), "summary"))
    assert sorted(pauses) == pauses
    assert len(double.asked) == 4


def test_being_told_to_wait_is_borne_longer_than_a_failure(
    double: VllmDouble, opened: Opener, pauses: list[float]
) -> None:
    """Seven times 503 and the eighth answer counts."""
    double.faults = deque([Fault.BUSY] * 7)
    enricher = opened()
    made = enricher.enrich(request_for(enricher, spoken(30), "summary"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED
    assert max(pauses) <= 8.0


def test_a_withdrawn_job_hangs_up(double: VllmDouble, opened: Opener) -> None:
    """Closing the socket is how the server learns that nobody waits any more."""
    double.always = Fault.HANG
    enricher = opened(timeout_seconds=60.0)
    with pytest.raises(JobCancelled):
        enricher.enrich(request_for(enricher, spoken(5), "title"), cancelled=lambda: bool(double.asked))
    eventually(lambda: double.hung_up, timeout_seconds=30, what="hanging up")


def test_closing_the_enricher_hangs_up_on_everything(double: VllmDouble, opened: Opener) -> None:
    """A process that stops leaves no request behind."""
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
    eventually(lambda: double.asked, timeout_seconds=30)
    enricher.close()
    thread.join(30)
    assert len(ended) == 1
    eventually(lambda: double.hung_up, timeout_seconds=30)


def test_a_base_model_is_asked_for_completions(opened: Opener) -> None:
    """Without a chat template there are no messages."""
    with running(VllmDouble(has_chat=False)) as base_model:
        enricher = opened(base_url=base_model.base_url)
        made = enricher.enrich(request_for(enricher, spoken(200), "title", instruction="Say it."))
    assert {result.status for result in made.results} == {EnrichmentStatus.COMPLETED}
    assert {request.path for request in base_model.asked} == {"/v1/completions"}


def test_a_gateway_that_counts_no_tokens_will_do(opened: Opener) -> None:
    """Sizes are estimated then, and what the server finds too long is split smaller."""
    with running(VllmDouble(counts_tokens=False)) as server:
        enricher = opened(base_url=server.base_url)
        made = enricher.enrich(request_for(enricher, spoken(300), "title"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED
    assert made.results[0].coverage == 1.0


@pytest.mark.parametrize("status", [405, 501])
def test_a_server_that_refuses_to_count_will_do(status: int, double: VllmDouble, opened: Opener) -> None:
    """However a gateway says that it has no such path: sizes are estimated, and the model is asked as before."""
    double.instead["/tokenize"] = (status, "no such method")
    enricher = opened()
    made = enricher.enrich(request_for(enricher, spoken(300), "title"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED
    assert {request.path for request in double.asked} == {"/v1/chat/completions"}


@pytest.mark.parametrize("param", ["input_tokens", None])
def test_a_prompt_that_the_server_refuses_to_count_is_estimated(
    param: str | None, double: VllmDouble, opened: Opener
) -> None:
    """One that counts at first and refuses later, because of the length or anything else, fails no job."""
    enricher = opened()
    assert enricher.enrich(request_for(enricher, spoken(5), "title")).results
    double.instead["/tokenize"] = (400, error("This one cannot be counted.", param))
    made = enricher.enrich(request_for(enricher, spoken(2_000), "title"))
    assert made.results[0].status is EnrichmentStatus.COMPLETED


def test_the_tasks_of_a_transcript_share_their_prefix(double: VllmDouble, opened: Opener) -> None:
    """System, transcript, task: only the end differs, and the first is asked before the others."""
    enricher = opened(priority=True)
    enricher.enrich(request_for(enricher, spoken(40), "summary", "topics", "title", job_id="abc"))
    prompts = [request.prompt for request in double.asked]
    prefix = prompts[0][: prompts[0].rindex("=====")]
    assert all(prompt.startswith(prefix) for prompt in prompts)
    assert double.asked[0].headers["x-request-id"].startswith("abc:summary:")
    assert {request.body["cache_salt"] for request in double.asked} == {"default"}
    assert {request.body["priority"] for request in double.asked} == {1}
    assert not any("guided_json" in request.body or "seed" in request.body for request in double.asked)


def test_a_job_that_is_asked_again_begins_its_prompts_as_before(double: VllmDouble, opened: Opener) -> None:
    """A retry or a second instruction finds the transcript in the server's cache; no other job or process can."""

    def begun(enricher: Enricher, job_id: str, task: str) -> str:
        enricher.enrich(request_for(enricher, spoken(30), instruction=task, job_id=job_id))
        prompt = double.asked[-1].prompt
        return prompt[: prompt.rindex("=====")]

    enricher = opened()
    first = begun(enricher, "one", "Summarise.")
    assert begun(enricher, "one", "Translate.") == first
    assert begun(enricher, "two", "Summarise.") != first
    assert begun(opened(), "one", "Summarise.") != first


def test_an_unknown_profile_is_an_invalid_option(opened: Opener) -> None:
    """The message lists what there is."""
    enricher = opened()
    with pytest.raises(InvalidOptions, match="summary"):
        request_for(enricher, spoken(5), "poetry")
