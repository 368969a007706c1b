"""The enricher's promises, on the double and on a real vLLM server alike."""

import re
from collections.abc import Iterator

import jsonschema
import pytest

from deploy.vllm.model import MODEL_NAME
from deploy.vllm.server import VllmServer
from models.vllm.answers.cleaning import as_plain_text
from models.vllm.enricher import Enricher
from models.vllm.enrichment.request import Enrichment
from schemas.errors import DependencyDown
from schemas.events import EnrichmentResult, EnrichmentStatus
from schemas.settings import VllmSettings
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble, running

PROFILES = ("summary", "key_points", "action_items", "topics", "entities", "sentiment", "chapters", "title")


@pytest.fixture(params=["double", "real"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a server with a context of 512 tokens; yield its address."""
    if request.param == "real":
        server: VllmServer = request.getfixturevalue("vllm")
        yield server.base_url
        return
    with running(VllmDouble()) as double:
        yield double.base_url


@pytest.fixture
def enricher(url: str) -> Iterator[Enricher]:
    """Open an enricher on that server."""
    with Enricher(VllmSettings(base_url=url, timeout_seconds=60.0)) as opened:
        yield opened


def assert_valid(enricher: Enricher, made: Enrichment, result: EnrichmentResult, segment_count: int) -> None:
    """Check one result: valid for its schema, existing citations, full coverage.

    The real server's model writes random words: an answer or notes may fail the quality gate, which refuses the
    answer, and does not count the segments of the notes.
    """
    is_random = made.model == MODEL_NAME
    if is_random and result.status is EnrichmentStatus.INVALID:
        assert result.failure is not None
        assert re.search("repetition|digit_run|fence", result.failure.message)
        return
    assert result.status is EnrichmentStatus.COMPLETED, result.failure
    assert result.coverage == 1.0 or is_random
    assert all(0 <= number < segment_count for number in result.citations)
    if result.profile == "instruction":
        assert isinstance(result.output, str)
    else:
        jsonschema.validate(result.output, dict(enricher.profiles[result.profile].schema or {}))


def test_every_profile_gives_a_result_that_matches_its_schema(enricher: Enricher) -> None:
    """Eight profiles and an instruction in one request give valid results in the requested order."""
    segments = spoken(12)
    made = enricher.enrich(request_for(enricher, segments, *PROFILES, instruction="다음 텍스트를 요약해주세요:"))
    assert [result.profile for result in made.results] == [*PROFILES, "instruction"]
    for result in made.results:
        assert_valid(enricher, made, result, len(segments))
    assert made.usage.requests >= 9
    assert made.usage.prompt_tokens > 0


@pytest.mark.parametrize("words", [1, 60, 500])
def test_any_length_becomes_one_valid_answer(enricher: Enricher, words: int) -> None:
    """Transcripts that exceed the context are noted in parts and merged; every segment is seen."""
    segments = spoken(words, seed=words)
    made = enricher.enrich(request_for(enricher, segments, "key_points", "title"))
    for result in made.results:
        assert_valid(enricher, made, result, len(segments))


def test_one_segment_longer_than_the_context_is_split_too(enricher: Enricher) -> None:
    """Speech without pauses causes no context error."""
    segments = spoken(200, longest_segment=1)
    long = segments[0].model_copy(update={"text": " ".join(segment.text for segment in segments)})
    made = enricher.enrich(request_for(enricher, [long], "summary"))
    assert_valid(enricher, made, made.results[0], 1)


def test_a_korean_transcript_with_three_bytes_a_letter_fits_as_well(enricher: Enricher) -> None:
    """Budgets are in the model's tokens, not in characters."""
    segments = [
        segment.model_copy(update={"text": "회의는 화요일에 있고 서류는 세 상자가 필요합니다"})
        for segment in spoken(60)
    ]
    made = enricher.enrich(request_for(enricher, segments, "summary", "entities", language="ko"))
    for result in made.results:
        assert_valid(enricher, made, result, len(segments))


def test_an_answer_streams_as_it_arrives(enricher: Enricher) -> None:
    """The pieces add up to the answer, and there are several."""
    pieces: list[str | None] = []
    request = request_for(enricher, spoken(8), instruction="Repeat it.")
    made = enricher.enrich(request, on_text=lambda _, piece: pieces.append(piece))
    restarts = [index for index, piece in enumerate(pieces) if piece is None]
    answer = "".join(piece or "" for piece in pieces[restarts[-1] if restarts else 0 :])
    assert len(pieces) > 1 or len(answer) == 1  # the random model of the real server may stop after a letter
    assert made.results[0].output == as_plain_text(answer)


def test_the_error_for_an_unknown_model_names_the_setting(url: str) -> None:
    """A wrong setting pauses intake until it is corrected."""
    with (
        Enricher(VllmSettings(base_url=url, model="nope")) as enricher,
        pytest.raises(DependencyDown, match="KASCRIBE_VLLM_MODEL"),
    ):
        enricher.enrich(request_for(enricher, spoken(5), "title"))


def test_a_task_that_leaves_no_room_is_refused_as_too_long(enricher: Enricher) -> None:
    """An instruction as long as the context fails alone; the other task of the request completes."""
    made = enricher.enrich(request_for(enricher, spoken(5), "title", instruction="Explain. " * 100))
    title, instruction = made.results
    assert title.status is EnrichmentStatus.COMPLETED
    assert instruction.status is EnrichmentStatus.INVALID
    assert instruction.failure is not None
    assert "shorten it" in instruction.failure.message


def test_silence_causes_no_request(enricher: Enricher) -> None:
    """A transcript without words is skipped, so the model cannot invent any."""
    made = enricher.enrich(request_for(enricher, [], "summary"))
    assert made.results[0].status is EnrichmentStatus.SKIPPED
    assert made.usage.requests == 0


def test_a_server_in_use_is_up(enricher: Enricher) -> None:
    """The probe makes one token."""
    assert enricher.is_up()
