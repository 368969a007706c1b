"""The gate in the enricher: what is asked again, what is published, and what notes are worth."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from models.vllm.enricher import Enricher
from schemas.errors import EnrichmentFailed, EnrichmentInvalid, Reason
from schemas.events import EnrichmentResult, EnrichmentStatus
from schemas.settings import VllmSettings
from schemas.transcripts.answer_flags import AnswerFlag
from tests.contract.enricher.enrich_bench import no_pause
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Run a server with room for a short transcript."""
    with running(VllmDouble(context_tokens=4_096)) as server:
        yield server


def enriched(double: VllmDouble, *profiles: str, words: int = 60, **options: str) -> EnrichmentResult:
    """Return the result of one profile or instruction."""
    with Enricher(VllmSettings(base_url=double.base_url), sleep=no_pause) as enricher:
        return enricher.enrich(request_for(enricher, spoken(words), *profiles, **options)).results[0]


def test_a_loop_is_asked_again_with_a_penalty_and_never_published(double: VllmDouble) -> None:
    """Three answers, each a loop: the result is invalid, and the reason says so."""
    double.text = json.dumps({"summary": "The text is the one that is cited. " * 9, "segment_ids": [0]})
    with pytest.raises(EnrichmentInvalid, match="after 3 answers: the answer is flagged repetition"):
        enriched(double, "summary")
    asked = [request.body for request in double.completion_requests]
    assert [body.get("frequency_penalty") for body in asked] == [None, 0.5, 0.5]
    assert not [body for body in asked if "repetition_penalty" in body]
    assert max(body["temperature"] for body in asked) == 0.3


def test_an_answer_of_one_word_is_asked_again_once_and_published_with_its_flag(double: VllmDouble) -> None:
    """The reader decides; a third answer is not paid for."""
    double.text = "OK"
    result = enriched(double, instruction="Say it.")
    assert (result.status, result.output, result.flags) == (EnrichmentStatus.COMPLETED, "OK", (AnswerFlag.SHORT,))
    assert len(double.completion_requests) == 2


def test_a_good_answer_has_no_flags_and_says_how_much_it_cites(double: VllmDouble) -> None:
    """The share of the segments; none where the profile has no citations."""
    double.text = json.dumps({"summary": "They spoke about a river and a letter.", "segment_ids": [0, 1]})
    result = enriched(double, "summary")
    assert (result.flags, len(double.completion_requests)) == ((), 1)
    assert result.cited == 2 / len(spoken(60))
    double.text = json.dumps({"title": "A river and a letter"})
    assert enriched(double, "title").cited is None


def test_a_string_at_the_bound_that_was_sent_is_truncated(double: VllmDouble) -> None:
    """Though the server says that the model ended the answer."""
    words = " ".join(f"word{number}" for number in range(60))
    double.text, double.bytes_per_token = json.dumps({"title": words[:120]}), 4
    result = enriched(double, "title")
    assert (result.truncated, result.finish_reasons) == (True, ())


def test_cited_ids_are_bounded_by_the_transcript(double: VllmDouble) -> None:
    """The schema that is sent says so."""
    enriched(double, "topics")
    sent = double.completion_requests[0].body["response_format"]["json_schema"]["schema"]
    ids = sent["properties"]["topics"]["items"]["properties"]["segment_ids"]["items"]
    assert ids == {"type": "integer", "minimum": 0, "maximum": 9 if len(spoken(60)) <= 10 else 99}


def test_notes_that_the_gate_refuses_count_as_unread() -> None:
    """The segments' own words go on, and coverage falls: only parts of few words may have such notes."""
    with running(VllmDouble(context_tokens=512)) as server:
        server.text = json.dumps({"points": [{"text": "326", "segment_ids": [0]}]})
        with Enricher(VllmSettings(base_url=server.base_url), sleep=no_pause) as enricher:
            result = enricher.enrich(request_for(enricher, spoken(900), instruction="Say it.")).results[0]
    assert result.status is EnrichmentStatus.COMPLETED
    assert result.coverage < 0.5


def test_a_profile_that_the_server_fails_does_not_discard_the_others(double: VllmDouble) -> None:
    """Where the caller does not try again, its failure is published beside the finished results."""
    double.faults_by_name = {"topics": Fault.ERROR}
    with Enricher(VllmSettings(base_url=double.base_url), sleep=no_pause) as enricher:
        title, topics = enricher.enrich(request_for(enricher, spoken(60), "title", "topics")).results
    assert title.status is EnrichmentStatus.COMPLETED
    assert (topics.status, topics.output) == (EnrichmentStatus.INVALID, None)
    assert topics.failure is not None
    assert topics.failure.reason is Reason.ENRICHMENT_FAILED


def test_a_retry_asks_only_for_what_is_missing(double: VllmDouble) -> None:
    """The caller repeats the request: the error is raised, and the finished result is kept."""
    double.faults_by_name = {"topics": Fault.ERROR}
    with Enricher(VllmSettings(base_url=double.base_url), sleep=no_pause) as enricher:
        request = replace(request_for(enricher, spoken(60), "title", "topics"), is_retried=lambda _: True)
        with pytest.raises(EnrichmentFailed):
            enricher.enrich(request)
        double.faults_by_name = {}
        double.requests.clear()
        results = enricher.enrich(request).results
        assert [result.status for result in results] == [EnrichmentStatus.COMPLETED] * 2
        assert {asked.name for asked in double.completion_requests} == {"topics"}
        enricher.enrich(request)
        assert {asked.name for asked in double.completion_requests} == {"title", "topics"}
