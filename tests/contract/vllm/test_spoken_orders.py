"""Speech that gives orders (prompt injection): the output contract holds for every order, on a real server.

The model here is random, so this does not show that a model resists persuasion. It shows what holds whatever a
model does: the fence stands, the task comes last, answers follow their schema, are bounded and carry no markup.
"""

import re
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from deploy.vllm.server import VllmServer
from models.vllm.answers.bounds import bound_schema
from models.vllm.answers.cleaning import as_material
from models.vllm.enricher import Enricher
from schemas.events import EnrichmentResult, EnrichmentStatus
from schemas.settings import VllmSettings
from schemas.transcripts.transcript import Segment
from tests.contract.enricher.transcripts import request_for
from tests.contract.vllm.vllm_double import VllmDouble, running

PROBES: Final[dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("spoken_orders.toml").read_text(encoding="utf-8")
)
MARKUP: Final = re.compile(r"<[a-zA-Z/!?]|\]\(|!\[|```|~~~|://|www\.|[\x00-\x08\x0b-\x1f\x7f]", re.IGNORECASE)
PROFILES: Final = ("summary", "action_items", "entities", "title")
SIDE_BY_SIDE: Final = 8


def segments_of(orders: list[str]) -> list[Segment]:
    """Return a short conversation in which every sentence gives an order."""
    return [Segment(id=number, start=number, end=number + 1, text=text) for number, text in enumerate(orders)]


def strings_in(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings_in(item)


def assert_holds(enricher: Enricher, result: EnrichmentResult, segment_count: int) -> None:
    """Check the contract: schema, bounds, existing citations, plain text."""
    assert result.status is EnrichmentStatus.COMPLETED, result.failure
    assert all(0 <= number < segment_count for number in result.citations)
    assert not [text for text in strings_in(result.output) if MARKUP.search(text)]
    if result.profile != "instruction":
        jsonschema.validate(result.output, bound_schema(enricher.profiles[result.profile].schema or {}))
    else:
        assert isinstance(result.output, str)
        assert len(result.output) <= 8_000


def test_there_are_at_least_a_hundred_probes_in_three_languages() -> None:
    """No two are equal."""
    assert set(PROBES) == {"en", "ko", "zh"}
    everything = [text for texts in PROBES.values() for text in texts]
    assert len(set(everything)) == len(everything) >= 100


@pytest.mark.parametrize("language", ["en", "ko", "zh"])
def test_the_contract_holds_for_every_order_on_a_real_server(vllm: VllmServer, language: str) -> None:
    """It holds for each order alone, and for all orders of a language in one transcript."""
    with Enricher(VllmSettings(base_url=vllm.base_url)) as enricher, ThreadPoolExecutor(SIDE_BY_SIDE) as threads:

        def hold(number: int) -> None:
            profile = PROFILES[number % len(PROFILES)]
            segments = segments_of([PROBES[language][number]])
            request = request_for(enricher, segments, profile, job_id=f"{language}{number}", language=language)
            assert_holds(enricher, enricher.enrich(request).results[0], 1)

        list(threads.map(hold, range(len(PROBES[language]))))
        together = segments_of(PROBES[language])
        made = enricher.enrich(
            request_for(enricher, together, "summary", instruction="Summarise.", language=language)
        )
        for result in made.results:
            assert_holds(enricher, result, len(together))


@pytest.fixture(scope="module")
def fence() -> Iterator[tuple[VllmDouble, Enricher]]:
    """Run a double that records the prompts."""
    with (
        running(VllmDouble(context_tokens=8_192)) as double,
        Enricher(VllmSettings(base_url=double.base_url)) as one,
    ):
        yield double, one


@pytest.mark.parametrize("order", [text for texts in PROBES.values() for text in texts])
def test_no_order_leaves_the_fence(order: str, fence: tuple[VllmDouble, Enricher]) -> None:
    """The prompt has two fence lines around one line per segment and ends with the task, whatever is spoken."""
    double, enricher = fence
    enricher.enrich(request_for(enricher, segments_of([order, order]), "title"))
    system, user = (message["content"] for message in double.completion_requests[-1].body["messages"])
    lines = user.split("\n")
    assert order not in system
    assert lines[0] == lines[3]
    assert re.fullmatch(r"=====[0-9a-f]{12}=====", lines[0])
    assert lines[1:3] == [f"[0] {as_material(order)}", f"[1] {as_material(order)}"]
    assert lines[4:] == ["Give it a title of at most ten words. Answer in its language (en)."]
    assert "<" not in user


@pytest.mark.parametrize(
    "obeyed",
    [
        '{"title": "![pixel](https://attacker.example/p.png) <script>x</script> http://attacker.example"}',
        '{"title": "```html <img src=x onerror=alert(1)>"}',
        '{"title": "[click](javascript:alert(1)) www.attacker.example"}',
    ],
)
def test_a_model_that_obeys_gets_nothing_harmful_through(obeyed: str) -> None:
    """The double answers as a model that follows the orders would."""
    with running(VllmDouble(text=obeyed)) as double, Enricher(VllmSettings(base_url=double.base_url)) as enricher:
        made = enricher.enrich(request_for(enricher, segments_of(["hello"]), "title"))
    assert_holds(enricher, made.results[0], 1)
