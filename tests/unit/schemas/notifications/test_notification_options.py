"""The options of a notification, and the identity of its job."""

import dataclasses
import re
from pathlib import Path

import pytest

from schemas.errors import InvalidOptions
from schemas.notifications import (
    is_own_object,
    requested_options,
    to_reference,
    valid_options,
)
from schemas.notifications.metadata import readable
from schemas.notifications.references import OPTION_NAMES
from schemas.options import Lane
from schemas.options.types import VadParameters
from schemas.settings import S3Settings
from tests.support.notification_fixtures import NOW, only


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ko", "ko"),
        (" 세 줄 ", "세 줄"),
        ("%EC%84%B8%20%EC%A4%84", "세 줄"),
        ("100% sure", "100% sure"),
        ("%FF", "%FF"),
        ("=?UTF-8?B?7IS4IOykhA==?=", "세 줄"),
        ("세 줄".encode().decode("latin-1"), "세 줄"),
        (" voilà ".encode().decode("latin-1"), "voilà"),
        ("=?nonsense?B?7IS4?=", "=?nonsense?B?7IS4?="),
        ("=?utf-7?Q?+2AA-?=", "=?utf-7?Q?+2AA-?="),
    ],
)
def test_header_values_are_read_as_their_writer_meant_them(written: str, meant: str) -> None:
    """Percent-encoding, RFC 2047, raw UTF-8 and UTF-8 seen as Latin-1 all give the same text."""
    assert readable(written) == meant


def test_every_option_can_be_given_as_metadata() -> None:
    """Each documented name reaches its field, whatever its casing."""
    requested = requested_options(
        {
            "language": "KO",
            "languages": "KO, en",
            "multilingual": "True",
            "task": "Translate",
            "word-timestamps": "TRUE",
            "channels": "split",
            "initial-prompt": "Kascribe, Kafka",
            "hotwords": "Kascribe",
            "beam-size": "3",
            "audio-track": "1",
            "vad": "true",
            "vad-parameters": "threshold=0.6, speech_pad_ms=200",
            "patience": "2",
            "length-penalty": "0.5",
            "repetition-penalty": "1.1",
            "no-repeat-ngram-size": "3",
            "suppress-tokens": "11,-1",
            "suppress-blank": "FALSE",
            "prefix": "So, Kafka",
            "temperature": "0.0",
            "compression-ratio-threshold": "2",
            "log-prob-threshold": "-0.5",
            "no-speech-threshold": "0.7",
            "model": "selftest",
            "exports": "SRT,json",
            "enrich": "summary,action-items",
            "instruction": "In three lines.",
            "enrich-language": "en",
            "lane": "Interactive",
            "tenant": "clinic",
            "idempotency-key": "call-17",
        }
    )
    assert requested.options.model_dump(mode="json") == {
        "language": "ko",
        "languages": ["en", "ko"],
        "multilingual": True,
        "task": "translate",
        "word_timestamps": True,
        "channels": "split",
        "initial_prompt": "Kascribe, Kafka",
        "hotwords": "Kascribe",
        "beam_size": 3,
        "audio_track": 1,
        "vad": True,
        "vad_parameters": VadParameters(threshold=0.6, speech_pad_ms=200).model_dump(),
        "patience": 2.0,
        "length_penalty": 0.5,
        "repetition_penalty": 1.1,
        "no_repeat_ngram_size": 3,
        "suppress_tokens": [-1, 11],
        "suppress_blank": False,
        "prefix": "So, Kafka",
        "temperature": None,
        "compression_ratio_threshold": 2.0,
        "log_prob_threshold": -0.5,
        "no_speech_threshold": 0.7,
        "model": "selftest",
        "exports": ["srt", "json"],
    }
    assert requested.enrich is not None
    assert requested.enrich.profiles == ("summary", "action-items")
    assert (requested.lane, requested.tenant, requested.idempotency_key) == (Lane.INTERACTIVE, "clinic", "call-17")
    assert requested.metadata == {}


@pytest.mark.parametrize(
    "name_and_value",
    [
        ("language", "xx"),
        ("task", "sing"),
        ("word-timestamps", "perhaps"),
        ("beam-size", "99"),
        ("exports", "docx"),
        ("enrich", "No Such!"),
        ("lane", "express"),
        ("tenant", ""),
    ],
)
def test_a_wrong_option_names_its_header(name_and_value: tuple[str, str]) -> None:
    """The error names the header to correct."""
    name, value = name_and_value
    with pytest.raises(InvalidOptions, match=f"x-amz-meta-{name}"):
        requested_options({name: value})


def test_the_two_copies_of_a_notification_are_one_job() -> None:
    """Delivery repeats: the second copy, worded the same, has the same idempotency key."""
    first, second = only("minio"), only("minio")
    references = [to_reference(c, requested_options(c.user_metadata or {}), now=NOW) for c in (first, second)]
    assert references[0].idempotency_key == references[1].idempotency_key
    later = dataclasses.replace(first, version_id="another")
    other = to_reference(later, requested_options(later.user_metadata or {}), now=NOW)
    assert other.idempotency_key != references[0].idempotency_key


@pytest.mark.parametrize(
    "wish", [{"exports": "srt"}, {"instruction": "summarise"}, {"enrich": "summary"}, {"enrich-language": "ko"}]
)
def test_another_wish_for_the_same_object_is_another_job(wish: dict[str, str]) -> None:
    """Dropped again with other headers, an object is not taken for what was done before."""
    created = only("minio")
    before = {"exports": "vtt", "enrich": "minutes"}
    first, second = (
        to_reference(created, requested_options(metadata), now=NOW) for metadata in (before, before | wish)
    )
    assert first.idempotency_key != second.idempotency_key
    assert second.idempotency_key != to_reference(created, requested_options({}), now=NOW).idempotency_key


def test_the_order_of_exports_makes_no_other_job() -> None:
    """Equal wishes are one job, however they are written."""
    created = only("minio")
    keys = {
        to_reference(created, requested_options({"exports": written}), now=NOW).idempotency_key
        for written in ("srt,vtt", "VTT, srt", "srt,vtt,srt")
    }
    assert len(keys) == 1


def test_our_own_objects_are_recognised() -> None:
    """Results, and uploads that have a reference of their own, are not new audio; anything else is."""
    settings = S3Settings(bucket="audio")
    assert is_own_object("audio", "kascribe-results/jobs/1.json", settings)
    assert is_own_object("audio", "kascribe-uploads/1/call.wav", settings)
    assert not is_own_object("audio", "calls/kascribe-results/1.wav", settings)
    assert not is_own_object("other", "kascribe-uploads/1/call.wav", settings)
    apart = S3Settings(bucket="audio", results_bucket="results")
    assert is_own_object("results", "kascribe-results/jobs/1.json", apart)
    assert not is_own_object("audio", "kascribe-results/jobs/1.json", apart)


@pytest.mark.parametrize("written", ["results", "results/", "/results/", "//results//", " results "])
def test_a_folder_is_ours_however_it_is_written(written: str) -> None:
    """A missing slash takes in no neighbour's objects; one too many, which stores drop, loses none of ours."""
    settings = S3Settings(bucket="audio", results_prefix=written, uploads_prefix=written.replace("results", "in"))
    assert is_own_object("audio", "results/jobs/1.json", settings)
    assert is_own_object("audio", "in/1/call.wav", settings)
    assert not is_own_object("audio", "results-2026/call.wav", settings)
    assert not is_own_object("audio", "inbox/call.wav", settings)


def test_every_option_is_on_the_page_for_those_who_drop_audio() -> None:
    """The page names each option that metadata can carry, and no other."""
    page = (Path(__file__).parents[4] / "docs" / "dropping.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.split("## Options")[1].splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert named == set(OPTION_NAMES)


def test_a_dropped_object_names_its_webhook() -> None:
    """The reference carries it, and the job stays the same; a URL of another form is refused by its header."""
    url = "https://hooks.example/In?call=7"
    requested = requested_options({"webhook-url": url})
    assert (requested.webhook_url, requested.metadata) == (url, {})
    with pytest.raises(InvalidOptions, match="x-amz-meta-webhook-url"):
        requested_options({"webhook-url": "hooks.example"})
    assert valid_options({"webhook-url": "hooks.example"}).webhook_url is None
