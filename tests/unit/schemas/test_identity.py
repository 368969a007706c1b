"""The identities of jobs and results: pinned, since keys in buckets outlive releases."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from schemas import identity
from schemas.options import EnrichOptions, TranscribeOptions

PAGE = Path(__file__).parents[3] / "docs" / "correlation.md"


def test_a_job_is_known_by_the_digest_that_the_documentation_names() -> None:
    """A client that chose a key can compute the job's id in any language."""
    key, formula = re.search(r"`(call-7)` gives `sha256\(\"(.*?)\"\)`", PAGE.read_text(encoding="utf-8")).groups()  # type: ignore[union-attr]
    assert identity.job_id(key) == sha256(formula.encode()).hexdigest()[: identity.JOB_ID_CHARACTERS]
    assert identity.job_id(key) == "9b7bf411146f289b448eea6de0131d01"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"bucket": "ab", "key": "c", "version": "v"}, {"bucket": "a", "key": "bc", "version": "v"}),
        ({"bucket": "a", "key": "b1:c", "version": "v"}, {"bucket": "a", "key": "b", "version": "c1:v"}),
        ({"bucket": "a", "key": "bv", "version": ""}, {"bucket": "a", "key": "b", "version": "v"}),
    ],
)
def test_parts_that_give_the_same_letters_in_a_row_are_other_objects(
    one: dict[str, str], other: dict[str, str]
) -> None:
    """Where a bucket's name ends and a key begins is part of the identity."""
    keys = [identity.notification_key(**parts, options=TranscribeOptions(), enrich=None) for parts in (one, other)]
    assert keys[0] != keys[1]


def test_a_notification_is_known_by_object_version_and_all_that_is_asked() -> None:
    """The order of exports, and an enrichment that asks for nothing, make no difference; everything else does."""

    def key(
        options: TranscribeOptions | None = None,
        enrich: EnrichOptions | None = None,
        version: str = "v",
        bucket: str = "b",
        name: str = "k",
    ) -> str:
        return identity.notification_key(
            bucket=bucket, key=name, version=version, options=options or TranscribeOptions(), enrich=enrich
        )

    wishes = [
        key(),
        key(version="w"),
        key(bucket="c"),
        key(name="l"),
        key(TranscribeOptions.model_validate({"language": "ko"})),
        key(TranscribeOptions.model_validate({"exports": ["srt"]})),
        key(TranscribeOptions.model_validate({"exports": ["srt", "vtt"]})),
        key(enrich=EnrichOptions(profiles=("summary",))),
        key(enrich=EnrichOptions(instruction="summary")),
    ]
    assert len(set(wishes)) == len(wishes)
    assert key(enrich=EnrichOptions()) == key()
    assert key(TranscribeOptions.model_validate({"exports": ["vtt", "srt"]})) == wishes[6]


def test_a_result_is_known_by_audio_options_and_model() -> None:
    """Another model hears other words: its result is never taken for this one's. The exports do not count."""

    def key(audio: str = "a", model: str = "m", **options: object) -> str:
        return identity.content_key(
            audio_sha256=audio, options=TranscribeOptions.model_validate(options), model_sha256=model
        )

    assert len({key(), key(audio="b"), key(model="n"), key(language="ko"), key(audio="m", model="a")}) == 5
    assert key(exports=["srt"]) == key()


def test_keys_of_different_kinds_never_meet() -> None:
    """A caller's key, an event's id, and a place in a topic may be the same text."""
    kinds = {
        identity.job_id("t[0]@1"),
        identity.job_id(identity.reference_key("t[0]@1")),
        identity.job_id(identity.record_key("t[0]@1")),
    }
    assert len(kinds) == 3
