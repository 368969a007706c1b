"""A name that is no option is refused with the one that was meant, wherever options are given."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from starlette.datastructures import FormData

from kascribe.documents.event_examples import EXAMPLES
from models.vllm.enrichment.profiles import load_profiles
from producers.gateway.failures import RequestRefused
from producers.gateway.forms.requests import check_names
from schemas.errors import ConfigurationError, InvalidEvent, InvalidOptions
from schemas.events import AudioReference, CancellationEvent, Event, TranscriptEvent
from schemas.kafka.records import Record
from schemas.kafka.wire import decode
from schemas.notifications import requested_options, valid_options
from schemas.notifications.references import OPTION_NAMES
from schemas.options import TranscribeOptions
from schemas.options.misspelling import misspelt
from schemas.transcripts.languages import nearest_language


def read(kind: type[Event], **changed: Any) -> Event:
    """Decode an example with other fields."""
    fields = {name: value for name, value in {**EXAMPLES[kind], **changed}.items() if value is not ...}
    return decode(Record("t", 0, 0, None, json.dumps(fields).encode()), kind)


def form(*names: str, query: str = "", value: str = "x", enriching: bool = False) -> str:
    """Return the error for a client that sends these fields; empty when they are accepted."""
    request = Request({"type": "http", "query_string": query.encode(), "headers": []})
    try:
        check_names(request, FormData([(name, value) for name in names]), enriching=enriching)
    except RequestRefused as refused:
        return f"{refused.status} {refused.reason}: {refused.message}"
    return ""


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"options": {"langauge": "ko"}}, "options.langauge is not an option: did you mean language?"),
        ({"options": {"word_timestamp": True}}, "did you mean word_timestamps?"),
        ({"options": {"wordTimestamps": True}}, "did you mean word_timestamps?"),
        ({"options": {"zzz": 1}}, "beam_size, channels, compression_ratio_threshold, exports"),
        ({"enrich": {"profile": ["summary"]}}, "enrich.profile is not an option: did you mean profiles?"),
        ({"language": "ko"}, "language is an option: it belongs inside options"),
        ({"options": ..., "optoins": {"language": "ko"}}, "optoins is not a field: did you mean options?"),
        ({"enrich": ..., "enrihc": {"profiles": ["summary"]}}, "did you mean enrich?"),
        ({"idempotency_key": ..., "idempotencyKey": "k"}, "did you mean idempotency_key?"),
    ],
)
def test_a_reference_with_a_misspelt_option_is_refused(changed: dict[str, Any], told: str) -> None:
    """A dead letter with invalid_options, instead of a transcript of something else."""
    with pytest.raises(InvalidOptions) as refused:
        read(AudioReference, **changed)
    assert told in str(refused.value)


def test_a_transcript_with_a_misspelt_wish_is_refused() -> None:
    """What the enricher is asked for stands in the transcript event."""
    with pytest.raises(InvalidOptions, match=r"enrich\.instructions is not an option: did you mean instruction\?"):
        read(TranscriptEvent, enrich={"instructions": "summarise"})


def test_unknown_fields_are_tolerated_where_they_change_nothing() -> None:
    """In every event, at any depth outside the options."""
    assert read(AudioReference, crew="a", enriched=True) == read(AudioReference)
    assert read(CancellationEvent, options={"langauge": "ko"}) == read(CancellationEvent)
    source = {**EXAMPLES[TranscriptEvent]["source"], "crew": 1}
    assert read(TranscriptEvent, crew=1, source=source) == read(TranscriptEvent)


def test_a_later_minor_version_may_have_options_that_this_release_does_not_know() -> None:
    """Its publisher knew them: the event is read as far as it is understood. The same version cannot have them."""
    later = read(AudioReference, schema_version="1.1", options={"diarize": True}, languages="ko")
    assert isinstance(later, AudioReference)
    assert later.options == TranscribeOptions()
    with pytest.raises(InvalidOptions, match="diarize"):
        read(AudioReference, schema_version="1.0", options={"diarize": True})
    with pytest.raises(InvalidEvent, match="schema_version"):
        read(AudioReference, schema_version="2.0", options={"diarize": True})


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("langauge", "ko", "language"),
        ("languagee", "KO", "language"),
        ("language-s", "ko,en", "languages"),
        ("wordtimestamps", "true", "word-timestamps"),
        ("word-timestamp", "true", "word-timestamps"),
        ("channel", "split", "channels"),
        ("export", "srt,vtt", "exports"),
        ("modle", "large-v3", "model"),
        ("instructions", "summarise", "instruction"),
        ("idempotencykey", "k", "idempotency-key"),
        ("tenants", "team", "tenant"),
    ],
)
def test_misspelt_metadata_is_refused(name: str, value: str, option: str) -> None:
    """The message names the header that was meant."""
    with pytest.raises(InvalidOptions, match=f"meta-{name} is not an option: did you mean x-amz-meta-{option}\\?"):
        requested_options({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "33188"),
        ("mtime", "1763802000.1"),
        ("channel", "voice"),
        ("languagee", "ko,en;q=0.5"),
        ("enriched", "true"),
        ("tenant-id", "7"),
        ("tenantid", "7"),
        ("task-id", "translate"),
        ("lean", "no"),
        ("lang", "ko"),
        ("s3cmd-attrs", "atime:1/ctime:1"),
        ("case-number", "17"),
    ],
)
def test_metadata_of_other_systems_is_echoed(name: str, value: str) -> None:
    """What backup tools and applications write beside the audio makes no drop fail."""
    assert requested_options({name: value}).metadata == {name: value}


def test_a_name_beside_the_option_that_it_resembles_is_no_mistake() -> None:
    """With ``channels`` given, ``channel`` means something else."""
    assert requested_options({"channels": "split", "channel": "mix"}).metadata == {"channel": "mix"}


def test_no_option_is_taken_for_a_misspelling_of_another() -> None:
    """Each is known by its own name."""
    assert [name for name in OPTION_NAMES if misspelt(name, list(OPTION_NAMES)) is not None] == []


def test_an_object_whose_options_are_wrong_keeps_the_rest() -> None:
    """What is said about it still has its tenant, its key and the metadata of its owner."""
    sound = valid_options({"language": "klingon", "tenant": "team", "idempotency-key": "k", "langauge": "ko"})
    assert (sound.options, sound.tenant, sound.idempotency_key) == (TranscribeOptions(), "team", "k")
    assert sound.metadata == {"langauge": "ko"}


def test_a_form_with_a_misspelt_field_is_refused() -> None:
    """400, and the field that was meant; all fields of the route are taken, empty unknown ones as well."""
    assert "did you mean language?" in form("langauge")
    assert "instruction is a field of POST /transcribe-and-process" in form("instruction")
    assert "did you mean instruction?" in form("instructoin", enriching=True)
    assert form(*TranscribeOptions.model_fields, "file", "tenant") == ""
    assert form("language", "instruction", "profiles", "answer_language", enriching=True) == ""
    assert form("submit", value="") == ""


def test_options_in_the_query_are_refused() -> None:
    """They were never read; foreign parameters are ignored."""
    told = "400 invalid_options: language is in the query: send it as a form field"
    assert form(query="language=ko") == told
    assert "langauge is in the query" in form(query="langauge=ko")
    assert form(query="utm_source=x") == ""


def test_a_profile_with_a_misspelt_field_is_refused(tmp_path: Path) -> None:
    """The file, the field, and the one that was meant."""
    text = 'name = "x"\nversion = "1"\ntask = "t"\nmax_completion_token = 3\nschema = \'{"type": "object"}\'\n'
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"max_completion_token: no such field: did you mean max_c"):
        load_profiles(tmp_path)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("KO", "ko"),
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("korean", "ko"),
        ("Japanise", "ja"),
        ("kr", "ko"),
        ("x", None),
    ],
)
def test_a_wrong_language_is_refused_with_the_nearest_code(written: str, meant: str | None) -> None:
    """By the code in it, by its English name, or by the country."""
    assert nearest_language(written) == meant
    with pytest.raises(InvalidOptions, match=f"did you mean {meant}" if meant else "use one such as ko"):
        read(AudioReference, options={"language": written})
