"""Identities are kept in buckets and in other people's databases, so each is written down here byte by byte."""

import hashlib
import json

from schemas.identity import (
    LATER_OPTIONS,
    content_key,
    enrich_digest,
    job_id,
    notification_key,
    options_digest,
    record_key,
    reference_key,
)
from schemas.options import EnrichOptions, ExportFormat, TranscribeOptions

OPTIONS = TranscribeOptions(language="ko", hotwords="회의")
WISHES = EnrichOptions(profiles=("summary",), instruction="요약")


def digest(*parts: str) -> str:
    """SHA-256 of each part behind its length in bytes."""
    return hashlib.sha256(b"".join(b"%d:%b" % (len(part.encode()), part.encode()) for part in parts)).hexdigest()


def written(values: object) -> str:
    """As text: keys in order, other scripts as they are."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


def test_a_job_is_named_by_its_key() -> None:
    """In 32 characters; this one has been the same since the first release."""
    assert job_id("call-7") == digest("job", "call-7")[:32] == "9b7bf411146f289b448eea6de0131d01"
    assert reference_key("e") == digest("reference", "e")
    assert record_key("audio.references[0]@7") == digest("record", "audio.references[0]@7")


def test_a_result_is_named_by_audio_options_and_model() -> None:
    """Each part by itself: none can be left out, and none can pass for another."""
    options = digest(
        "options", written(OPTIONS.for_digest().model_dump(mode="json", exclude={"exports", *LATER_OPTIONS}))
    )
    assert options_digest(OPTIONS) == options
    assert content_key(audio_sha256="a", options=OPTIONS, model_sha256="m") == digest("content", "a", options, "m")
    keys = {
        content_key(audio_sha256=audio, options=options, model_sha256=model)
        for audio, model in (("a", "m"), ("b", "m"), ("a", "n"), ("am", ""), ("", "am"))
        for options in (OPTIONS, TranscribeOptions())
    }
    assert len(keys) == 10
    assert options_digest(OPTIONS.model_copy(update={"exports": (ExportFormat.SRT,)})) == options


def test_names_are_those_of_the_first_release() -> None:
    """An option that was added since changes them only when it is given.

    Otherwise an upgrade would transcribe everything again, start a job for each repeated notification, and refuse
    repeated requests as reused keys.
    """
    options = TranscribeOptions(language="ko", exports=(ExportFormat.SRT,))
    enrich = EnrichOptions(profiles=("title",))
    assert options_digest(options) == "fd6a555fde311465ab26e6242c38d355aeb9e04dbab0de2536f54043cefd7d63"
    assert enrich_digest(enrich) == "28c8e250aa6679a39e0c3b0f662f6cb1d0f445e8e121e703dccf989b149ecfed"
    assert (
        notification_key(bucket="b", key="k", version="v", options=options, enrich=enrich)
        == "837f9ceefc916f82cf148f74b46e1206ef349a9e8817150426175c4279e909e7"
    )
    assert (
        content_key(audio_sha256="a", options=options, model_sha256="m")
        == "cbbbd9cd33f359de6e3b6f6636901911ca26f32613635ec4e5c06659dde0574d"
    )
    tracks = [options.model_copy(update={"audio_track": track}) for track in (None, 0, 1)]
    assert len({options_digest(asked) for asked in tracks}) == 3
    assert options_digest(options.model_copy(update={"multilingual": True})) != options_digest(options)
    restricted = [TranscribeOptions(languages=codes) for codes in ((), ("ko", "en"), ("en", "ko", "en"), ("ko",))]
    assert len({options_digest(asked) for asked in restricted}) == 3


def test_an_enrichment_is_named_by_its_wishes() -> None:
    """As JSON with its keys in order."""
    assert enrich_digest(WISHES) == digest("enrich", written(WISHES.model_dump(mode="json")))
    assert enrich_digest(WISHES) != enrich_digest(EnrichOptions(profiles=("summary",)))
