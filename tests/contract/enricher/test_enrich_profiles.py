"""Users' own profiles, through the enricher and a language model double."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.vllm.enricher import Enricher
from models.vllm.enrichment.profiles import ProfileFile, load_profiles
from schemas.errors import EnrichmentInvalid
from schemas.events import EnrichmentResult
from schemas.settings import VllmSettings
from schemas.settings.catalogue import by_environment_name
from tests.contract.enricher.enrich_bench import no_pause
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble, running


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Run a server with room for a short transcript."""
    with running(VllmDouble(context_tokens=4_096)) as server:
        yield server


def enriched(double: VllmDouble, directory: Path, schema: dict[str, Any], answer: object) -> EnrichmentResult:
    """Enrich a transcript by a profile with this schema, when the model gives this answer."""
    lines = ("name='mine'", "version='1'", "task='Do.'", f"schema='''{json.dumps(schema)}'''")
    (directory / "mine.toml").write_text("\n".join(lines), encoding="utf-8")
    double.text = json.dumps(answer)
    settings = VllmSettings(base_url=double.base_url, profiles_directory=directory)
    with Enricher(settings, sleep=no_pause) as enricher:
        return enricher.enrich(request_for(enricher, spoken(9), "mine")).results[0]


def test_an_answer_that_cleaning_makes_invalid_is_requested_again(double: VllmDouble, tmp_path: Path) -> None:
    """A missing segment is cited where the schema requires a citation: the answer is never published."""
    schema = {"type": "object", "required": ["segment_id"], "properties": {"segment_id": {"type": "integer"}}}
    with pytest.raises(EnrichmentInvalid, match="after 3 answers"):
        enriched(double, tmp_path, schema, {"segment_id": 99})
    assert len(double.completion_requests) == 3


@pytest.mark.parametrize(
    "field", [True, {"type": "array", "items": True}, {"anyOf": [True, {"type": "null"}]}, {"allOf": [True]}]
)
def test_a_profile_may_leave_a_field_open(field: object, double: VllmDouble, tmp_path: Path) -> None:
    """``true`` is a valid schema."""
    schema = {"type": "object", "required": ["a"], "properties": {"a": field}}
    assert enriched(double, tmp_path, schema, {"a": ["x"]}).output == {"a": ["x"]}


def documented() -> str:
    """Read the page for authors of profiles."""
    return (Path(__file__).parents[3] / "docs" / "profiles.md").read_text(encoding="utf-8")


def test_the_profile_of_the_page_works_as_it_stands(double: VllmDouble, tmp_path: Path) -> None:
    """Copied into a directory, it is loaded, and its result cites existing segments."""
    (example,) = re.findall(r"```toml\n(.*?)```", documented(), re.DOTALL)
    (tmp_path / "complaints.toml").write_text(example, encoding="utf-8")
    complaints = [{"text": "late", "severity": "high", "segment_ids": [0, 99]}]
    double.text = json.dumps({"complaints": complaints})
    settings = VllmSettings(base_url=double.base_url, profiles_directory=tmp_path)
    with Enricher(settings, sleep=no_pause) as enricher:
        result = enricher.enrich(request_for(enricher, spoken(9), "complaints")).results[0]
    assert result.output == {"complaints": [{"text": "late", "severity": "high", "segment_ids": [0]}]}
    assert (result.profile_version, result.citations) == ("1", (0,))


def test_the_page_names_every_profile_field_and_setting() -> None:
    """It names no others."""
    page = documented()
    assert set(re.findall(r"`([a-z_]+)`", page.split("Ten come with")[1].split(". ")[0])) == set(load_profiles())
    rows = page.split("| field | value |")[1].split("\n\n")[0]
    fields = {field.alias or name for name, field in ProfileFile.model_fields.items()}
    assert set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)) == fields
    assert set(re.findall(r"KASCRIBE_\w+", page)) <= set(by_environment_name())
    assert all(f"- `{name}`: " in page for name in ("status", "coverage", "truncated", "citations"))
