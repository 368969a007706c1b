"""The OpenAPI document says everything about every operation, in valid OpenAPI 3.1."""

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator

from producers.gateway.documentation.reasons import EVERYWHERE_REASONS, HTTP_REASONS
from producers.gateway.documentation.tags import Tag
from tests.unit.producers.gateway_documentation.openapi_reading import (
    DOCUMENT,
    JSON,
    answers,
    contents,
    examples_of,
    fields,
    operations,
    resolved,
)

GATEWAY: Final = Path(__file__).parents[4] / "producers" / "gateway"
FAILURES: Final = {"FailureAnswer", "LateAnswer"}
OPENAI_FAILURES: Final = {"OpenAIErrorAnswer"}
OUTSIDE_OPERATIONS: Final = {"not_found", "method_not_allowed"}
"""Reasons of requests that reach no operation."""


def expect_none(places: list[str]) -> None:
    """Fail with one place a line."""
    assert not places, "\n" + "\n".join(places)


def test_the_document_is_valid_by_the_specifications_schema() -> None:
    """An independent validator accepts it; its version is the package's."""
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["info"]["version"] == version("kascribe")


def test_every_operation_has_a_group_a_summary_and_a_name() -> None:
    """The name is for generated clients: unique, in snake_case. The summary is a sentence, not the name again."""
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))
    expect_none([name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)])
    groups = {tag.value for tag in Tag}
    for place, operation in operations():
        assert len(operation["tags"]) == 1, place
        assert set(operation["tags"]) <= groups, place
        assert operation["summary"], place
        generated = operation["operationId"].replace("_", " ").title()
        assert operation["summary"] != generated, f"{place}: give the route a summary"


def test_every_parameter_field_and_header_is_described() -> None:
    """Its meaning is in the document, not only its name."""
    expect_none([place for place, field in fields() if not field.get("description") and not _is_described(field)])
    parameters = [
        (f"{place} {parameter['name']}", parameter)
        for place, operation in operations()
        for parameter in map(resolved, operation.get("parameters", ()))
    ]
    headers = [
        (f"{place} {name}", header)
        for place, _, answer in answers()
        for name, header in answer.get("headers", {}).items()
    ]
    unnamed = [
        place for place, each in (*parameters, *headers) if not each.get("description") or "schema" not in each
    ]
    expect_none(unnamed)


def test_every_answer_has_a_schema_and_an_example() -> None:
    """Only answers without a body have none; an empty schema says nothing."""
    bodiless = {"204", "304"}
    assert all(answer["description"] for _, _, answer in answers())
    expect_none(
        [place for place, status, answer in answers() if not answer.get("content") and status not in bodiless]
    )
    expect_none([place for place, content in contents() if not content.get("schema")])
    expect_none([place for place, content in contents() if not examples_of(content) and not _is_form(place)])


def test_every_example_is_what_its_schema_describes() -> None:
    """JSON examples are valid; others are text."""
    for place, content in contents():
        for example in examples_of(content):
            if place.endswith(JSON):
                schema = {**content["schema"], "components": DOCUMENT["components"]}
                jsonschema.Draft202012Validator(schema).validate(example)
            else:
                assert isinstance(example, str), place


def test_every_failure_has_the_shape_of_its_routes() -> None:
    """Programs read one shape: OpenAI's on its routes, the gateway's own on all others.

    A health check that fails has that of the other roles' checks.
    """
    groups = {name: operation["tags"][0] for name, operation in operations()}
    for place, status, answer in answers():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            schema = answer["content"][JSON]["schema"]
            models = {each["$ref"].rsplit("/", 1)[-1] for each in schema.get("anyOf", [schema])}
            group = groups[place.rsplit(" ", 1)[0]]
            models -= {"CheckAnswer"} if group == Tag.OPERATION else set()
            assert models <= set(OPENAI_FAILURES if group == Tag.OPENAI else FAILURES), place


def test_every_reason_in_the_code_is_described_with_its_status() -> None:
    """And no description is of a reason that the gateway does not have."""
    found = set(_refusals())
    assert len(found) > 5
    wrong = [f"{place}: {reason} {status}" for place, reason, status in found if not _is_known(reason, status)]
    expect_none(sorted(wrong))
    documented = {
        name for _, _, answer in answers() for name in answer.get("content", {}).get(JSON, {}).get("examples", {})
    }
    assert set(EVERYWHERE_REASONS) <= documented
    raised = {reason for _, reason, _ in found}
    expect_none(sorted((raised & HTTP_REASONS.keys()) - documented - OUTSIDE_OPERATIONS))


def test_requests_with_a_key_say_so() -> None:
    """Every operation but those for orchestrators takes a key in either header, and none where none are in use."""
    schemes = DOCUMENT["components"]["securitySchemes"]
    for place, operation in operations():
        named: list[dict[str, list[str]]] = [{name: []} for name in schemes]
        expected = [{}] if operation["tags"] == [Tag.OPERATION] else [*named, {}]
        assert operation["security"] == expected, place


def _is_described(field: dict[str, Any]) -> bool:
    return bool("$ref" in field and resolved(field).get("description"))


def _is_form(place: str) -> bool:
    return place.endswith(("multipart/form-data", "application/x-www-form-urlencoded"))


def _is_known(reason: str, status: str) -> bool:
    return reason in HTTP_REASONS and HTTP_REASONS[reason].status.name == status


def _refusals() -> Iterator[tuple[str, str, str]]:
    """Yield every ``RequestRefused(HTTPStatus.X, "reason", …)`` of the gateway: place, reason, status."""
    for path in sorted(GATEWAY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="RequestRefused"),
                    args=[ast.Attribute(attr=status), ast.Constant(value=str(reason)), *_],
                ):
                    yield f"{path.relative_to(GATEWAY)}:{node.lineno}", reason, status
