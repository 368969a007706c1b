"""The options of a key, where a request has none of its own."""

from typing import Any

import pytest
from starlette.datastructures import FormData

from producers.api_keys.key import KeyDefaults
from producers.gateway.access.caller import ANYONE, Caller
from producers.gateway.access.defaults import with_enrich_defaults, with_transcribe_defaults
from producers.gateway.failures import RequestRefused
from producers.gateway.forms.requests import enrich_options, transcribe_options
from schemas.options import Lane
from tests.unit.producers.access.keys import key_of

GLOSSARY = {"hotwords": "Kascribe", "languages": ["ko", "en"]}


def caller_with(transcribe: dict[str, Any] | None = None, enrich: dict[str, Any] | None = None) -> Caller:
    """Return a caller whose key has these options."""
    key = key_of(defaults=KeyDefaults(transcribe=transcribe or {}, enrich=enrich or {}))
    return Caller(key.tenant, frozenset(key.rights), key=key)


def test_a_request_has_the_options_of_its_key_and_its_own_first() -> None:
    """Field by field; without a key only its own."""
    caller = caller_with(GLOSSARY)
    assert with_transcribe_defaults(caller, {}) == GLOSSARY
    assert with_transcribe_defaults(caller, {"hotwords": "MinIO"}) == {**GLOSSARY, "hotwords": "MinIO"}
    assert with_transcribe_defaults(ANYONE, {"hotwords": "MinIO"}) == {"hotwords": "MinIO"}


@pytest.mark.parametrize(
    ("defaults", "given", "expected"),
    [
        ({"languages": ["ko", "en"]}, {"language": "fr"}, {"language": "fr"}),
        ({"languages": ["ko", "en"]}, {"language": "ko"}, {"languages": ["ko", "en"], "language": "ko"}),
        ({"language": "ko"}, {"languages": ["en"]}, {"languages": ["en"]}),
        ({"vad_parameters": {"threshold": 0.6}}, {"vad": "false"}, {"vad": "false"}),
        ({"patience": 2.0}, {"beam_size": "1"}, {"beam_size": "1"}),
    ],
)
def test_an_option_of_the_key_gives_way_to_what_it_contradicts(
    defaults: dict[str, Any], given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The caller cannot see the key's options: a refusal that names them would not help."""
    assert with_transcribe_defaults(caller_with(defaults), given) == expected


def test_a_request_that_contradicts_itself_is_refused_all_the_same() -> None:
    """The key's options change nothing about it."""
    with pytest.raises(RequestRefused, match="not among languages"):
        transcribe_options(FormData([("language", "fr"), ("languages", "ko")]), caller=caller_with(GLOSSARY))


def test_forms_take_the_options_of_the_key() -> None:
    """Lists and texts, as in a form."""
    options = transcribe_options(FormData([("beam_size", "1")]), caller=caller_with(GLOSSARY))
    assert (options.hotwords, options.languages, options.beam_size) == ("Kascribe", ("en", "ko"), 1)


def test_the_key_says_what_to_do_with_a_text_only_where_the_request_does_not() -> None:
    """Its profiles are not added to the request's; its language applies to both."""
    caller = caller_with(enrich={"profiles": ["summary"], "language": "Korean"})
    assert with_enrich_defaults(caller, {}) == {"profiles": ["summary"], "language": "Korean"}
    own = with_enrich_defaults(caller, {"instruction": "Count the words.", "profiles": []})
    assert own == {"instruction": "Count the words.", "language": "Korean"}
    options = enrich_options(FormData([("answer_language", "English")]), caller=caller)
    assert (options.profiles, options.language) == (("summary",), "English")


def test_a_key_for_bulk_work_never_goes_first() -> None:
    """Whatever a request asks for; another key's jobs go where they ask to."""
    bulk = Caller("acme", frozenset(), key=key_of().model_copy(update={"lane": Lane.BULK}))
    assert [bulk.lane_of(lane) for lane in Lane] == [Lane.BULK, Lane.BULK]
    for caller in (ANYONE, caller_with()):
        assert [caller.lane_of(lane) for lane in Lane] == list(Lane)
