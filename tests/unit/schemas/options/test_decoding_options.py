"""Options of decoding: what each takes, in every spelling, and what is refused by its name."""

import inspect
import json
from typing import Any

import pytest
from faster_whisper import WhisperModel
from faster_whisper.vad import VadOptions
from pydantic import ValidationError

from schemas.errors import InvalidOptions
from schemas.events import AudioReference
from schemas.identity import options_digest
from schemas.kafka.records import Record
from schemas.kafka.wire import decode
from schemas.notifications import requested_options
from schemas.options import DECODING_DEFAULTS, TranscribeOptions
from schemas.options.refused import REFUSED_OPTIONS
from schemas.options.types import AS_TEXT, VadParameters

OF_FASTER_WHISPER = frozenset(inspect.signature(WhisperModel.transcribe).parameters) - {"self", "audio"}


def options(**given: Any) -> TranscribeOptions:
    """Read options as a form's fields are read."""
    return TranscribeOptions.model_validate(given, context=AS_TEXT)


def problem(**given: Any) -> str:
    """Return what a caller with these options is told."""
    with pytest.raises(ValidationError) as refused:
        options(**given)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in refused.value.errors())


def reference(given: dict[str, Any]) -> AudioReference:
    """Read an event with these options."""
    fields = {"event_id": "e", "occurred_at": "2026-11-22T09:00:00Z", "uri": "s3://b/k", "options": given}
    return decode(Record("t", 0, 0, None, json.dumps(fields).encode()), AudioReference)


def test_every_option_of_faster_whisper_is_taken_or_refused_by_name() -> None:
    """None is ignored silently, whatever release of it is installed."""
    assert OF_FASTER_WHISPER - set(TranscribeOptions.model_fields) <= set(REFUSED_OPTIONS)
    assert not set(TranscribeOptions.model_fields) & set(REFUSED_OPTIONS)
    assert set(VadParameters.model_fields) == set(VadOptions.__dataclass_fields__)


def test_defaults_are_those_of_faster_whisper() -> None:
    """Written out they are the same options; the voice detector's are those of the batched pipeline."""
    signature = inspect.signature(WhisperModel.transcribe).parameters
    theirs = {
        name: signature[name].default for name in DECODING_DEFAULTS if name not in ("vad_parameters", "prefix")
    }
    assert {**theirs, "suppress_tokens": tuple(theirs["suppress_tokens"]), "temperature": 0.0} == {
        name: DECODING_DEFAULTS[name] for name in theirs
    }
    written_out = options(**DECODING_DEFAULTS)
    assert written_out == TranscribeOptions()
    assert options_digest(written_out) == options_digest(TranscribeOptions())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vad_parameters", {"threshold": 0.6}),
        ("patience", 2),
        ("length_penalty", 0.5),
        ("repetition_penalty", 1.1),
        ("no_repeat_ngram_size", 3),
        ("suppress_tokens", [-1, 11]),
        ("suppress_blank", False),
        ("prefix", "So"),
        ("compression_ratio_threshold", 2),
        ("log_prob_threshold", -0.5),
        ("no_speech_threshold", 0.7),
    ],
)
def test_each_option_is_part_of_a_results_name(name: str, value: Any) -> None:
    """It changes the words, so a result without it is never taken for one with it."""
    assert options_digest(options(**{name: value})) != options_digest(TranscribeOptions())
    assert reference({name: value}).options == options(**{name: value})


@pytest.mark.parametrize(
    "written",
    [
        "threshold=0.6,speech_pad_ms=200",
        " threshold = 0.6 , speech_pad_ms = 200 ",
        '{"threshold": 0.6, "speech_pad_ms": 200}',
        '{"threshold": 0.6, "speech_pad_ms": 200.0}',
        {"threshold": 0.6, "speech_pad_ms": 200},
    ],
)
def test_voice_detection_is_written_as_pairs_or_as_an_object(written: object) -> None:
    """In one form field, one metadata value and one argument of a command."""
    assert options(vad_parameters=written).vad_parameters == VadParameters(threshold=0.6, speech_pad_ms=200)


@pytest.mark.parametrize("written", ["-1,11", "[11, -1]", "11,-1,11", [11, -1]])
def test_suppressed_tokens_are_written_as_a_list_in_any_order(written: object) -> None:
    """One spelling for equal sets."""
    assert options(suppress_tokens=written).suppress_tokens == (-1, 11)
    assert options(suppress_tokens="[]").suppress_tokens == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"temperature": 0.2}, "temperature: Value error, only 0 is possible: CTranslate2 cannot repeat a sample"),
        ({"temperature": [0.0, 0.2]}, "temperature: Value error, only 0 is possible"),
        ({"temperature": True}, "temperature: Value error, only 0 is possible"),
        ({"temperature": "warm"}, "temperature: Value error, only 0 is possible"),
        ({"vad_parameters": "treshold=0.6"}, "there is no 'treshold': did you mean threshold?"),
        ({"vad_parameters": "0.6"}, "vad_parameters: Value error, '0.6' has no value; write threshold=0.6,"),
        ({"vad_parameters": "{0.6}"}, "vad_parameters: Value error, this is not a JSON object"),
        ({"vad_parameters": "threshold=high"}, "vad_parameters.threshold: Input should be a valid number"),
        ({"patience": float("inf")}, "patience: Input should be a finite number"),
        ({"suppress_tokens": "eleven"}, "suppress_tokens.0: Input should be a valid integer"),
        ({"suppress_tokens": "-2"}, "suppress_tokens.0: Input should be greater than or equal to -1"),
    ],
)
def test_a_value_that_cannot_be_honoured_is_refused(given: dict[str, Any], told: str) -> None:
    """The message names the option, and says why and what to write."""
    assert told in problem(**given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"vad_parameters": {"threshold": 0.3, "neg_threshold": 0.4}},
            "vad_parameters: neg_threshold is above",
        ),
        (
            {"vad_parameters": "speech_pad_ms=800,max_speech_duration_s=2"},
            "vad_parameters: max_speech_duration_s",
        ),
        ({"vad": False, "vad_parameters": "threshold=0.6"}, "vad_parameters: vad is false"),
        ({"beam_size": 1, "patience": 2}, "patience: beam_size is 1"),
    ],
)
def test_an_option_that_another_leaves_without_effect_is_named(given: dict[str, Any], told: str) -> None:
    """An event with both is read: the transcriber refuses it, as the schema of events cannot."""
    assert any(each.startswith(told) for each in options(**given).contradictions)
    assert not options(vad_parameters="threshold=0.6", patience=2).contradictions


def test_events_take_no_text_for_a_list_or_an_object() -> None:
    """Their schema has arrays and objects there."""
    for given in ({"suppress_tokens": "-1"}, {"vad_parameters": "threshold=0.6"}):
        with pytest.raises(InvalidOptions, match="Input should be"):
            reference(given)


def test_an_event_with_an_option_of_faster_whisper_that_is_refused_is_told_why() -> None:
    """At both levels."""
    with pytest.raises(InvalidOptions, match=r"options\.vad_filter is not an option: use vad"):
        reference({"vad_filter": True})
    with pytest.raises(InvalidOptions, match=r"best_of is not an option: nothing is sampled: see temperature"):
        reference({"best_of": 5})
    with pytest.raises(InvalidOptions, match=r"options\.vad_parameters\.treshold is not an option: did you"):
        reference({"vad_parameters": {"treshold": 0.6}})


def test_an_object_with_an_option_of_faster_whisper_that_is_refused_is_told_why() -> None:
    """The header is named; the names of the voice detector's fields follow it."""
    with pytest.raises(InvalidOptions, match="x-amz-meta-vad-filter is not an option: use vad"):
        requested_options({"vad-filter": "true"})
    with pytest.raises(InvalidOptions, match=r"x-amz-meta-vad-parameters\.threshold: Input should be less than 1"):
        requested_options({"vad-parameters": "threshold=2"})
    with pytest.raises(InvalidOptions, match="x-amz-meta-temperature: Value error, only 0 is possible"):
        requested_options({"temperature": "21.5"})


def test_a_set_of_a_later_release_is_read() -> None:
    """Stored sets may have names that this release does not know, at both levels."""
    stored = '{"language": "ko", "diarize": true, "vad_parameters": {"threshold": 0.6, "model": "other"}}'
    read = TranscribeOptions.model_validate_json(stored)
    assert read == options(language="ko", vad_parameters="threshold=0.6")
