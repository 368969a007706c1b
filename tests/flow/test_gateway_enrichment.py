"""POST /transcribe-and-process with both real stages behind it, before a double of the language model server."""

from collections.abc import Iterator

import pytest

from producers.gateway.stored import StoredAnswers
from producers.map_results import EnrichmentResults
from producers.results import ResultStore
from schemas.options import EnrichOptions
from tests.contract.vllm_double import Fault, VllmDouble, running
from tests.flow.gateway import House, opened_house
from tests.flow.mock_cluster import MockCluster
from tests.object_store import ObjectStore, running_object_store
from tests.wav_listener import wav_bytes

PATH = "/transcribe-and-process"
INSTRUCTION = "다음 텍스트를 요약해주세요:"
KEY = {"Idempotency-Key": "call-7"}


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """A language model server."""
    with running(VllmDouble(context_tokens=4_096)) as server:
        yield server


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """One S3 server for the module."""
    with running_object_store() as running_store:
        yield running_store


@pytest.fixture
def house(broker: MockCluster, store: ObjectStore, double: VllmDouble) -> Iterator[House]:
    """Both consumers at work."""
    with opened_house(broker.bootstrap_servers, store.settings(), store.client) as opened:
        opened.transcribe()
        opened.enrich(double.base_url)
        yield opened


def test_a_file_and_an_instruction_give_processed_text(house: House) -> None:
    """The promised line, and profiles beside the instruction when they are asked for."""
    answer = house.gateway().post(PATH, wav_bytes(2), instruction=INSTRUCTION, profiles="title", language="ko")
    assert answer.status == 200
    assert answer.body["success"] is True
    assert (answer.body["text"], answer.body["language"]) == ("second 1. second 2.", "ko")
    assert answer.body["processed_text"] == "plain words about what was said"
    assert answer.body["profiles"].keys() == {"title"}
    assert answer.body["job_id"]
    stored = StoredAnswers(
        ResultStore(house.settings.s3, client=house.client),
        EnrichmentResults(house.settings.s3, client=house.client),
    )
    asked = EnrichOptions(profiles=("title",), instruction=INSTRUCTION)
    whole = stored.enrichment(answer.body["job_id"], asked)
    assert whole is not None
    travelled = whole.model_copy(
        update={"results": tuple(each.model_copy(update={"output": None}) for each in whole.results)}
    )
    assert stored.whole(travelled, asked) == whole


def test_a_failed_enrichment_is_said_and_tried_again_with_the_same_key(house: House, double: VllmDouble) -> None:
    """502 while the server talks nonsense; later the same key is enriched, and not transcribed again."""
    gateway = house.gateway()
    double.always = Fault.WRONG_SHAPE
    failed = gateway.post(PATH, wav_bytes(1), headers=KEY, profiles="title")
    assert (failed.status, failed.reason) == (502, "enrichment_invalid")
    double.always = Fault.NONE
    answer = gateway.post(PATH, wav_bytes(1), headers=KEY, profiles="title")
    assert answer.body["profiles"]["title"]
    assert answer.body["processed_text"] is None
    assert house.gateway().post(PATH, wav_bytes(1), headers=KEY, profiles="title").body == answer.body
    assert house.engine.heard == 1


def test_a_key_whose_job_asked_for_something_else_is_refused(house: House) -> None:
    """422 at once, instead of waiting for an enrichment that nobody will make; another tenant gets nothing."""
    gateway = house.gateway()
    assert gateway.post("/transcribe", wav_bytes(1), headers=KEY).status == 200
    other_wish = gateway.post(PATH, wav_bytes(1), headers=KEY, instruction=INSTRUCTION)
    other_tenant = gateway.post("/transcribe", wav_bytes(1), headers=KEY, tenant="other")
    for answer in (other_wish, other_tenant):
        assert (answer.status, answer.reason) == (422, "idempotency_key_reused")
