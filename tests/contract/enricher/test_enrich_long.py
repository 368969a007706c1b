"""Transcripts that exceed every request: the requests for them, and what the results report."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from models.vllm.enricher import Enricher
from schemas.events import EnrichmentResult, EnrichmentStatus
from schemas.settings import VllmSettings
from tests.contract.enricher.enrich_bench import no_pause
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault

PROFILES = ("summary", "key_points", "action_items", "topics", "entities", "sentiment", "chapters", "title")
WORDS = 1_500
Enrich = Callable[..., tuple[EnrichmentResult, ...]]


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Run a server with a small context."""
    with running(VllmDouble(context_tokens=512)) as server:
        yield server


@pytest.fixture
def enrich(double: VllmDouble) -> Iterator[Enrich]:
    """Enrich a transcript of so many words by profiles."""
    with ExitStack() as opened:

        def results(words: int, *profiles: str, **vllm: object) -> tuple[EnrichmentResult, ...]:
            settings = VllmSettings.model_validate({"base_url": double.base_url, **vllm})
            enricher = opened.enter_context(Enricher(settings, sleep=no_pause))
            return enricher.enrich(request_for(enricher, spoken(words), *profiles)).results

        yield results


def material_of(prompt: str) -> str:
    """Return the text between the fence lines."""
    return prompt.split("=====")[2]


def test_notes_are_taken_and_merged_once_for_all_profiles(double: VllmDouble, enrich: Enrich) -> None:
    """Eight profiles share one set of notes, and each merge of the same notes."""
    assert {result.status for result in enrich(WORDS, *PROFILES)} == {EnrichmentStatus.COMPLETED}
    for name in ("notes", "merge"):
        materials = [material_of(request.prompt) for request in double.completion_requests if request.name == name]
        assert len(materials) == len(set(materials)) > 1


def test_merging_ends_when_the_model_cannot_merge(double: VllmDouble, enrich: Enrich) -> None:
    """A model that merges nothing gets a bounded number of requests, and the notes are cut by rule."""
    double.faults_by_name["merge"] = Fault.WRONG_SHAPE
    (result,) = enrich(WORDS, "summary")
    assert (result.status, result.coverage, result.truncated) == (EnrichmentStatus.COMPLETED, 1.0, True)


def test_segments_that_the_model_did_not_note_are_not_covered(double: VllmDouble, enrich: Enrich) -> None:
    """Their words replace the notes, and the result reports that the model has not seen all segments."""
    double.faults = deque([Fault.WRONG_SHAPE] * 3)
    (some,) = enrich(WORDS, "summary", concurrency_limit=1)
    double.faults_by_name["notes"] = Fault.WRONG_SHAPE
    (none,) = enrich(WORDS, "summary")
    assert (some.status, none.status) == (EnrichmentStatus.COMPLETED, EnrichmentStatus.COMPLETED)
    assert 0.5 < some.coverage < 1.0
    assert (none.coverage, none.truncated) == (0.0, True)


@pytest.mark.parametrize("bytes_per_token", [2, 4])
def test_a_context_is_filled_by_tokens_and_not_by_bytes(
    bytes_per_token: int, double: VllmDouble, enrich: Enrich
) -> None:
    """The server counts, as for every real model: requests are fewer and longer, and none is too long."""
    enrich(WORDS, "summary")
    by_bytes = Counter(request.name for request in double.completion_requests)
    double.requests.clear()
    double.bytes_per_token = bytes_per_token
    (result,) = enrich(WORDS, "summary")
    assert (result.status, result.coverage) == (EnrichmentStatus.COMPLETED, 1.0)
    assert (
        Counter(request.name for request in double.completion_requests)["notes"] * bytes_per_token
        < by_bytes["notes"] * 1.2
    )
    sizes = [len(request.prompt.encode()) / bytes_per_token for request in double.completion_requests]
    assert 300 < max(sizes) < double.context_tokens


def test_a_transcript_that_fits_only_by_tokens_takes_one_request(double: VllmDouble, enrich: Enrich) -> None:
    """Its bytes exceed the context, but the server's count does not."""
    double.context_tokens, double.bytes_per_token = 1_024, 4
    enrich(300, "summary")
    (request,) = double.completion_requests
    assert len(request.prompt.encode()) > double.context_tokens
    assert any(received.path == "/tokenize" for received in double.requests)
