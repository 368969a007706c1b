"""Finish reasons: only ``stop`` means a whole answer; others are retried, flagged, or explained."""

from collections import deque
from collections.abc import Callable

import pytest

from models.vllm.enricher import Enricher
from schemas.errors import EnrichmentFailed, EnrichmentInvalid
from schemas.events import EnrichmentResult, EnrichmentStatus
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble
from tests.contract.vllm.vllm_faults import Fault
from tests.contract.vllm.vllm_opening import Opener

Enrich = Callable[..., EnrichmentResult]


@pytest.fixture(params=["whole", "streamed"])
def enrich(request: pytest.FixtureRequest, opened: Opener) -> Enrich:
    """Enrich with one profile or instruction, both whole and streamed."""
    enricher: Enricher = opened()

    def run(*profiles: str, instruction: str | None = None, words: int = 9) -> EnrichmentResult:
        wanted = request_for(enricher, spoken(words), *profiles, instruction=instruction)
        listener = (lambda _profile, _piece: None) if request.param == "streamed" else None
        (result,) = enricher.enrich(wanted, on_text=listener).results
        return result

    return run


def test_an_answer_that_the_model_ended_is_whole(enrich: Enrich, double: VllmDouble) -> None:
    """Its result is not flagged."""
    result = enrich(instruction="Say it.")
    assert (result.status, result.truncated, result.finish_reasons) == (EnrichmentStatus.COMPLETED, False, ())
    assert double.completion_requests


def test_an_answer_at_the_token_limit_is_truncated(enrich: Enrich, double: VllmDouble) -> None:
    """The partial text is kept and flagged."""
    double.text = " ".join(f"word{number}" for number in range(2_000))
    result = enrich(instruction="Say it.")
    assert (result.status, result.truncated, result.finish_reasons) == (
        EnrichmentStatus.COMPLETED,
        True,
        ("length",),
    )


@pytest.mark.parametrize("fault", [Fault.ABORTED, Fault.FAILED])
def test_an_answer_that_the_server_aborted_is_requested_again(
    fault: Fault, enrich: Enrich, double: VllmDouble
) -> None:
    """A partial text is no result, however good it looks."""
    double.faults = deque([fault])
    result = enrich(instruction="Say it.")
    assert (result.output, result.truncated) == ("plain words about what was said", False)
    assert len(double.completion_requests) == 2


@pytest.mark.parametrize(("fault", "word"), [(Fault.ABORTED, "abort"), (Fault.FAILED, "error")])
def test_a_server_that_keeps_aborting_fails_the_job_with_its_finish_reason(
    fault: Fault, word: str, enrich: Enrich, double: VllmDouble
) -> None:
    """Attempts are bounded; a server that answers other requests is up, so the record is retried later."""
    double.faults_by_name = {"instruction": fault}
    with pytest.raises(EnrichmentFailed, match=f"finish_reason {word}"):
        enrich(instruction="Say it.")
    assert len(double.completion_requests) == 4


@pytest.mark.parametrize("profile", ["title", None])
def test_an_unknown_finish_reason_is_flagged(profile: str | None, enrich: Enrich, double: VllmDouble) -> None:
    """The result carries a gateway's own word: the answer may not be whole."""
    double.always = Fault.ENDED_ODDLY
    result = enrich(profile) if profile else enrich(instruction="Say it.")
    assert (result.status, result.truncated, result.finish_reasons) == (
        EnrichmentStatus.COMPLETED,
        True,
        ("content_filter",),
    )


def test_notes_with_an_unknown_finish_reason_flag_the_result(enrich: Enrich, double: VllmDouble) -> None:
    """A long transcript's result is made from notes that are not published."""
    double.faults_by_name = {"notes": Fault.ENDED_ODDLY}
    result = enrich("title", words=1_500)
    assert (result.truncated, result.finish_reasons) == (True, ("content_filter",))


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault.REFUSAL, "the model refused: I cannot help with that."),
        (Fault.TOOL_CALL, "the model called look_it_up instead of answering"),
        (Fault.REASONING, "reasoning used up the tokens: raise max_completion_tokens"),
    ],
)
@pytest.mark.parametrize("profile", ["title", None])
def test_the_error_for_an_answer_without_text_has_a_reason(
    fault: Fault, cause: str, profile: str | None, enrich: Enrich, double: VllmDouble
) -> None:
    """Fields beside null content give the reason, and the message says what the operator can do."""
    double.always = fault
    with pytest.raises(EnrichmentInvalid) as failed:
        enrich(profile) if profile else enrich(instruction="Say it.")
    assert cause in str(failed.value)


@pytest.mark.parametrize("profile", ["title", None])
def test_content_in_parts_is_read(profile: str | None, enrich: Enrich, double: VllmDouble) -> None:
    """Gateways for multimodal models write it so."""
    double.always = Fault.PARTS
    result = enrich(profile) if profile else enrich(instruction="Say it.")
    assert (result.status, result.truncated) == (EnrichmentStatus.COMPLETED, False)
    if not profile:
        assert result.output == "plain words about what was said"
