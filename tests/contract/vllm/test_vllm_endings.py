"""Only an answer that the model ended by itself is whole: any other is tried again, flagged, or says why not."""

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

Asking = Callable[..., EnrichmentResult]


@pytest.fixture(params=["whole", "streamed"])
def asking(request: pytest.FixtureRequest, opened: Opener) -> Asking:
    """One profile or instruction, both ways in which answers come."""
    enricher: Enricher = opened()

    def ask(*profiles: str, instruction: str | None = None, words: int = 9) -> EnrichmentResult:
        wanted = request_for(enricher, spoken(words), *profiles, instruction=instruction)
        listener = (lambda _profile, _piece: None) if request.param == "streamed" else None
        (result,) = enricher.enrich(wanted, on_text=listener).results
        return result

    return ask


def test_an_answer_that_the_model_ended_is_whole(asking: Asking, double: VllmDouble) -> None:
    """Nothing is flagged."""
    result = asking(instruction="Say it.")
    assert (result.status, result.truncated, result.finish_reasons) == (EnrichmentStatus.COMPLETED, False, ())
    assert double.asked


def test_an_answer_at_the_token_limit_is_truncated(asking: Asking, double: VllmDouble) -> None:
    """What there is of a text is kept, and marked."""
    double.text = "word " * 2_000
    result = asking(instruction="Say it.")
    assert (result.status, result.truncated, result.finish_reasons) == (
        EnrichmentStatus.COMPLETED,
        True,
        ("length",),
    )


@pytest.mark.parametrize("fault", [Fault.ABORTED, Fault.FAILED])
def test_an_answer_that_the_server_gave_up_is_asked_for_again(
    fault: Fault, asking: Asking, double: VllmDouble
) -> None:
    """Half a text is no result, however good it looks; another try is."""
    double.faults = deque([fault])
    result = asking(instruction="Say it.")
    assert (result.output, result.truncated) == ("plain words about what was said", False)
    assert len(double.asked) == 2


@pytest.mark.parametrize(("fault", "word"), [(Fault.ABORTED, "abort"), (Fault.FAILED, "error")])
def test_a_server_that_keeps_giving_up_fails_the_job_with_its_word(
    fault: Fault, word: str, asking: Asking, double: VllmDouble
) -> None:
    """Within the budget of attempts; a server that answers others is up, so the record is tried again later."""
    double.faults_by_name = {"instruction": fault}
    with pytest.raises(EnrichmentFailed, match=f"finish_reason {word}"):
        asking(instruction="Say it.")
    assert len(double.asked) == 4


@pytest.mark.parametrize("profile", ["title", None])
def test_an_ending_that_nobody_knows_is_flagged(profile: str | None, asking: Asking, double: VllmDouble) -> None:
    """A gateway's own word stands in the result: the answer may not be whole."""
    double.always = Fault.ENDED_ODDLY
    result = asking(profile) if profile else asking(instruction="Say it.")
    assert (result.status, result.truncated, result.finish_reasons) == (
        EnrichmentStatus.COMPLETED,
        True,
        ("content_filter",),
    )


def test_notes_that_ended_oddly_flag_what_was_made_of_them(asking: Asking, double: VllmDouble) -> None:
    """A long transcript's result rests on answers that nobody sees."""
    double.faults_by_name = {"notes": Fault.ENDED_ODDLY}
    result = asking("title", words=1_500)
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
def test_an_answer_without_text_says_why(
    fault: Fault, cause: str, profile: str | None, asking: Asking, double: VllmDouble
) -> None:
    """Null content has a cause beside it, which the operator can do something about."""
    double.always = fault
    with pytest.raises(EnrichmentInvalid) as failed:
        asking(profile) if profile else asking(instruction="Say it.")
    assert cause in str(failed.value)


@pytest.mark.parametrize("profile", ["title", None])
def test_content_in_parts_is_read(profile: str | None, asking: Asking, double: VllmDouble) -> None:
    """As gateways for several kinds of content write it."""
    double.always = Fault.PARTS
    result = asking(profile) if profile else asking(instruction="Say it.")
    assert (result.status, result.truncated) == (EnrichmentStatus.COMPLETED, False)
    if not profile:
        assert result.output == "plain words about what was said"
