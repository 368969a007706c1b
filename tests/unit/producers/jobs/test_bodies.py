"""What requests about jobs ask for, read from their bodies."""

import asyncio
import io
import json
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import pytest
from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from producers.gateway.access.caller import ANYONE, Caller, Right
from producers.gateway.failures import RequestRefused
from producers.gateway.jobs.bodies import (
    JSON_TYPE,
    METADATA_BYTES,
    content_type_of,
    enrich_options_of,
    metadata_of,
    submission_of_form,
    submission_of_json,
)
from producers.gateway.jobs.submission import JobSubmission, NamedObject, UploadedFile
from producers.gateway.monitoring.tracing import TraceMiddleware
from schemas.errors import SourceNotAllowed
from schemas.options import EnrichOptions, Lane, TranscribeOptions
from schemas.settings import S3Settings
from tests.support.clock import HandClock

Result = TypeVar("Result")
URI: Final = "s3://audio/calls/a.wav"
ACME: Final = Caller("acme", frozenset(Right))


def traced(body: bytes = b"", content_type: str = JSON_TYPE, **headers: str) -> Request:
    """Return a request as a route sees it, within its trace."""
    named = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    pieces = [body[:7], body[7:]]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/v1/jobs",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def nothing(*_: Any) -> None:
        pass

    asyncio.run(TraceMiddleware(nothing)(scope, receive, nothing))
    return Request(scope, receive)


def reason_of(read: Coroutine[Any, Any, Any]) -> tuple[str, str]:
    """Return the reason and the message of a refusal."""
    with pytest.raises(RequestRefused) as refused:
        asyncio.run(read)
    return refused.value.reason, refused.value.message


def submitted(body: object, *, caller: Caller = ANYONE, **headers: str) -> Coroutine[Any, Any, JobSubmission]:
    """Read a JSON body."""
    return submission_of_json(
        traced(json.dumps(body).encode(), **headers),
        caller=caller,
        new_id="n1",
        clock=HandClock(),
        s3=S3Settings(bucket="audio", allowed_buckets=("audio", "calls")),
    )


def form_of(*fields: tuple[str, str | UploadFile], caller: Caller = ANYONE) -> JobSubmission:
    """Read a form with a file."""
    file = UploadFile(io.BytesIO(b"RIFF"), filename="회의.wav", size=4)
    form = FormData([("file", file), *fields])
    return submission_of_form(traced(), form, file, caller=caller, new_id="n1")


def test_json_has_the_fields_of_a_reference() -> None:
    """What its producer would publish; the rest is added."""
    body = {
        "uri": URI,
        "version_id": "v",
        "etag": None,
        "options": {"language": "ko", "beam_size": 1},
        "enrich": {"profiles": ["summary"]},
        "lane": "interactive",
        "tenant": "team",
        "metadata": {"case": "17"},
    }
    asked = asyncio.run(submitted(body, idempotency_key=" call-1 "))
    assert asked.audio == NamedObject(URI, "v", None)
    assert asked.options == TranscribeOptions(language="ko", beam_size=1)
    assert asked.enrich == EnrichOptions(profiles=("summary",))
    assert (asked.lane, asked.tenant, asked.metadata) == (Lane.INTERACTIVE, "team", {"case": "17"})
    assert (asked.idempotency_key, asked.is_repeatable) == ("call-1", True)
    plain = asyncio.run(submitted({"uri": URI}))
    assert (plain.lane, plain.tenant, plain.idempotency_key) == (Lane.BULK, "default", "gateway:n1")
    assert (plain.enrich, plain.is_repeatable) == (None, False)


def test_a_form_has_the_fields_of_transcribe_and_process() -> None:
    """And lane and metadata; the file's name is metadata unless the caller gives one."""
    asked = form_of(("language", "ko"), ("profiles", "summary"), ("metadata", "case=17"), ("lane", "interactive"))
    assert asked.audio == UploadedFile("회의.wav", None)
    assert asked.options == TranscribeOptions(language="ko")
    assert asked.enrich == EnrichOptions(profiles=("summary",))
    assert (asked.lane, asked.metadata) == (Lane.INTERACTIVE, {"name": "회의.wav", "case": "17"})
    plain = form_of(("metadata", '{"name": "mine"}'))
    assert (plain.lane, plain.enrich, plain.metadata) == (Lane.BULK, None, {"name": "mine"})


def test_a_key_s_tenant_and_scope_apply_to_json_and_forms() -> None:
    """Another tenant's name is refused; the idempotency key is the tenant's own."""
    asked = asyncio.run(submitted({"uri": URI}, caller=ACME, idempotency_key="k"))
    assert (asked.tenant, asked.idempotency_key) == ("acme", "tenant:4:acme:k")
    assert form_of(caller=ACME).tenant == "acme"
    assert reason_of(submitted({"uri": URI, "tenant": "other"}, caller=ACME))[0] == "tenant_mismatch"


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({}, "uri"),
        ({"uri": 7}, "uri"),
        ({"url": URI}, "did you mean uri?"),
        ({"uri": URI, "options": {"langage": "ko"}}, "language"),
        ({"uri": URI, "options": {"language": "zz"}}, "Whisper language code"),
        ({"uri": URI, "options": []}, "options"),
        ({"uri": URI, "options": {"vad": False, "vad_parameters": {"threshold": 0.6}}}, "vad_parameters"),
        ({"uri": URI, "enrich": {}}, "profiles"),
        ({"uri": URI, "enrich": "summary"}, "enrich"),
        ({"uri": URI, "enrich": {"profile": ["x"]}}, "profiles"),
        ({"uri": URI, "lane": "fast"}, "lane"),
        ({"uri": URI, "metadata": {"case": 17}}, "metadata"),
        ({"uri": URI, "metadata": {"case": "x" * METADATA_BYTES}}, "16,384"),
        ({"uri": URI, "metadata": {"case": "\ud800"}}, ""),
        ({"uri": URI, "tenant": "x" * 129}, "tenant"),
    ],
)
def test_bad_json_says_what_to_do(body: object, hint: str) -> None:
    """With the names and words that the caller knows; not those of events."""
    reason, message = reason_of(submitted(body))
    assert reason == "invalid_options"
    assert hint in message
    assert "AudioReference" not in message


@pytest.mark.parametrize(
    "uri",
    [
        "s3://other/a.wav",
        "https://audio/a.wav",
        "s3://audio/kascribe-results/jobs/j.json",
        "s3://audio/kascribe-uploads/1/a.wav",
        "s3://audio//kascribe-uploads/1/a.wav",
        "s3://audio/./kascribe-uploads/1/a.wav",
        "s3://audio/x/../kascribe-uploads/1/a.wav",
    ],
)
def test_only_objects_of_callers_can_be_named(uri: str) -> None:
    """Neither other buckets, nor results and uploads, however the key is written."""
    with pytest.raises(SourceNotAllowed):
        asyncio.run(submitted({"uri": uri}))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"1" * 5_000 + b"}"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    """Whatever it is instead, and however deep."""
    read = submission_of_json(traced(body), caller=ANYONE, new_id="n", clock=HandClock(), s3=S3Settings())
    assert reason_of(read)[0] == "invalid_json"


def test_a_client_that_leaves_amid_its_body_is_noticed() -> None:
    """Its request is not read as if it were whole."""
    request = traced()

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    left = Request(request.scope, gone)
    with pytest.raises(ClientDisconnect):
        asyncio.run(submission_of_json(left, caller=ANYONE, new_id="n", clock=HandClock(), s3=S3Settings()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {}),
        ("", {}),
        ("case=17", {"case": "17"}),
        (" case = 17 , agent=김 수지,empty=", {"case": "17", "agent": "김 수지", "empty": ""}),
        ("formula=a=b", {"formula": "a=b"}),
        ('{"case": "17, open"}', {"case": "17, open"}),
    ],
)
def test_metadata_is_pairs_or_an_object(text: str | None, expected: dict[str, str]) -> None:
    """As people write it on a command line, and as programs do."""
    assert metadata_of(text) == expected


@pytest.mark.parametrize(
    "given",
    [
        "case",
        "=17",
        '{"case": 17}',
        '{"case"',
        '{"case": "\\ud800"}',
        "x=" + "y" * METADATA_BYTES,
        UploadFile(io.BytesIO()),
    ],
)
def test_bad_metadata_is_refused(given: object) -> None:
    """Never dropped silently."""
    with pytest.raises(RequestRefused) as refused:
        metadata_of(given)
    assert refused.value.reason == "invalid_options"


def test_a_field_of_a_form_that_is_a_file_is_refused() -> None:
    """As ``curl -F lane=@file`` would send it."""
    with pytest.raises(RequestRefused, match="text field"):
        form_of(("lane", UploadFile(io.BytesIO(b"bulk"), filename="lane")))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"profiles": ["summary"], "instruction": "Sum up.", "answer_language": "ko"}', JSON_TYPE),
        (b"profiles=summary&instruction=Sum+up.&answer_language=ko", "application/x-www-form-urlencoded"),
    ],
)
def test_options_of_an_enrichment_are_the_same_in_json_and_forms(body: bytes, content_type: str) -> None:
    """Equal options are one enrichment, however they are sent."""
    read = enrich_options_of(traced(body, content_type), caller=ANYONE)
    expected = EnrichOptions(profiles=("summary",), instruction="Sum up.", language="ko")
    assert asyncio.run(read) == expected


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"{}", JSON_TYPE, "invalid_options"),
        (b'{"profiles": "summary"}', JSON_TYPE, "invalid_options"),
        (b'{"profiles": [7]}', JSON_TYPE, "invalid_options"),
        (b'{"instruction": {}}', JSON_TYPE, "invalid_options"),
        (b'{"instruction": "\\ud800"}', JSON_TYPE, "invalid_options"),
        (b'{"profile": ["summary"]}', JSON_TYPE, "invalid_options"),
        (b"profile=summary", "application/x-www-form-urlencoded", "invalid_options"),
        (b"\xff", "application/x-www-form-urlencoded", "invalid_form"),
        (b"&".join([b"a=1"] * 100), "application/x-www-form-urlencoded", "invalid_form"),
        (b"summary", "text/plain", "unsupported_media_type"),
    ],
)
def test_bad_requests_to_enrich_say_why(body: bytes, content_type: str, reason: str) -> None:
    """In the words of the route's fields."""
    assert reason_of(enrich_options_of(traced(body, content_type), caller=ANYONE))[0] == reason


def test_a_type_that_is_not_read_names_those_that_are() -> None:
    """415, also without any type."""
    for given in ("audio/wav", ""):
        with pytest.raises(RequestRefused, match="application/json") as refused:
            content_type_of(traced(content_type=given), JSON_TYPE)
        assert refused.value.status == 415
    assert content_type_of(traced(content_type="Application/JSON; charset=utf-8"), JSON_TYPE) == JSON_TYPE
