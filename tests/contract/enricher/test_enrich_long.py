"""Transcripts that no request holds: what is asked for them, and what the results say about it."""

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
    """A server with a small context."""
    with running(VllmDouble(context_tokens=512)) as server:
        yield server


@pytest.fixture
def enrich(double: VllmDouble) -> Iterator[Enrich]:
    """Enriches a transcript of so many words by profiles."""
    with ExitStack() as opened:

        def results(words: int, *profiles: str, **vllm: object) -> tuple[EnrichmentResult, ...]:
            settings = VllmSettings.model_validate({"base_url": double.base_url, **vllm})
            enricher = opened.enter_context(Enricher(settings, sleep=no_pause))
            return enricher.enrich(request_for(enricher, spoken(words), *profiles)).results

        yield results


def material_of(prompt: str) -> str:
    """What stands between the fence lines."""
    return prompt.split("=====")[2]


def test_notes_are_taken_and_merged_once_for_all_profiles(double: VllmDouble, enrich: Enrich) -> None:
    """Eight profiles pay for one set of notes and for each merging of the same notes once."""
    assert {result.status for result in enrich(WORDS, *PROFILES)} == {EnrichmentStatus.COMPLETED}
    for name in ("notes", "merge"):
        asked = [material_of(request.prompt) for request in double.asked if request.name == name]
        assert len(asked) == len(set(asked)) > 1


def test_merging_ends_with_what_nobody_can_merge(double: VllmDouble, enrich: Enrich) -> None:
    """A model that merges nothing costs a bounded number of requests, and the notes are cut by rule."""
    double.faults_by_name["merge"] = Fault.WRONG_SHAPE
    (result,) = enrich(WORDS, "summary")
    assert (result.status, result.coverage, result.truncated) == (EnrichmentStatus.COMPLETED, 1.0, True)


def test_segments_that_the_model_did_not_note_are_not_covered(double: VllmDouble, enrich: Enrich) -> None:
    """Their words stand in for notes: the result is there, and says that the model has not seen all."""
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
    """The server counts, as for every real model: fewer and longer requests, none of them too long."""
    enrich(WORDS, "summary")
    by_bytes = Counter(request.name for request in double.asked)
    double.requests.clear()
    double.bytes_per_token = bytes_per_token
    (result,) = enrich(WORDS, "summary")
    assert (result.status, result.coverage, result.truncated) == (EnrichmentStatus.COMPLETED, 1.0, False)
    assert Counter(request.name for request in double.asked)["notes"] * bytes_per_token < by_bytes["notes"] * 1.2
    sizes = [len(request.prompt.encode()) / bytes_per_token for request in double.asked]
    assert 300 < max(sizes) < double.context_tokens


def test_a_transcript_that_fits_only_by_tokens_is_asked_in_one(double: VllmDouble, enrich: Enrich) -> None:
    """Its bytes alone would not tell; the server's count does."""
    double.context_tokens, double.bytes_per_token = 1_024, 4
    enrich(300, "summary")
    (asked,) = double.asked
    assert len(asked.prompt.encode()) > double.context_tokens
    assert any(request.path == "/tokenize" for request in double.requests)
