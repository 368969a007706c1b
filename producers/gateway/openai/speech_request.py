"""A request to transcribe or translate in OpenAI's fields, put into Kascribe's.

What changes nothing here is accepted where OpenAI's clients send it (``temperature``, ``chunking_strategy=auto``);
what cannot be had is refused by its name, with what to use instead.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile

from producers.gateway.forms.presentation import BODILESS_FORMATS, response_format_of
from producers.gateway.forms.requests import FORM_FIELDS
from producers.gateway.openai.fields import Fields, refused
from schemas.options import ExportFormat, Task
from schemas.options.refused import why_unknown

VAD_FIELDS: Final[Mapping[str, str]] = {
    "threshold": "threshold",
    "prefix_padding_ms": "speech_pad_ms",
    "silence_duration_ms": "min_silence_duration_ms",
}
"""Keys of OpenAI's ``server_vad``, and the parameters of the voice detector that they set."""

REFUSED_FIELDS: Final[Mapping[str, str]] = {
    "exports": "response_format gives one format here; exports are a field of POST /transcribe",
    "known_speaker_names": "speakers are not told apart; channels=split transcribes each channel by itself",
    "known_speaker_references": "speakers are not told apart; channels=split transcribes each channel by itself",
    "task": "the route says it: /v1/audio/transcriptions or /v1/audio/translations",
    "word_timestamps": "use timestamp_granularities[]=word with response_format=verbose_json",
}
REFUSED_VALUES: Final[Mapping[str, str]] = {
    "diarized_json": "speakers are not told apart; channels=split transcribes each channel by itself",
    "logprobs": "probabilities of tokens are not kept; verbose_json has the avg_logprob of each segment",
}

_TRANSLATED: Final = frozenset(
    {
        "chunking_strategy",
        "include",
        "keywords",
        "model",
        "prompt",
        "response_format",
        "stream",
        "temperature",
        "timestamp_granularities",
    }
)
"""OpenAI's fields that are no options of Kascribe, or that mean something else."""

_OTHER_NAMES: Final = frozenset({"initial_prompt", "hotwords", "vad_parameters"})
"""Options of Kascribe that OpenAI's fields set too."""

_LISTS: Final = frozenset({"languages", "suppress_tokens"})

OPENAI_FIELDS: Final = frozenset({*FORM_FIELDS, *_TRANSLATED} - REFUSED_FIELDS.keys())


class Granularity(StrEnum):
    """What has times in ``verbose_json``."""

    WORD = "word"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What a request wants. ``form`` has Kascribe's options but the model, which is empty if none is named."""

    form: FormData
    model: str
    response_format: ExportFormat
    granularities: frozenset[Granularity]
    is_streamed: bool

    @property
    def needs_body(self) -> bool:
        """Whether the answer takes more of the transcript than its event has."""
        return self.response_format not in BODILESS_FORMATS


def speech_request_of(form: FormData, *, task: Task) -> SpeechRequest:
    """Read a form. Raises RequestRefused, with the field at fault as ``param``."""
    fields = Fields.of(form)
    for name in fields.names:
        _check_name(name)
    response_format = _response_format(fields)
    granularities = _granularities(fields, response_format)
    _check_ignored(fields)
    options: list[tuple[str, str | UploadFile]] = [*_options(fields), ("task", task.value)]
    if Granularity.WORD in granularities:
        options.append(("word_timestamps", "true"))
    return SpeechRequest(
        form=FormData(options),
        model=fields.text("model"),
        response_format=response_format,
        granularities=granularities,
        is_streamed=_is_streamed(fields, response_format),
    )


def _check_name(name: str) -> None:
    if name in REFUSED_FIELDS:
        raise refused(name, f"{name} is not available: {REFUSED_FIELDS[name]}")
    if name not in OPENAI_FIELDS:
        raise refused(name, f"there is no field {name[:100]!r}: {why_unknown(name, OPENAI_FIELDS)}")


def _response_format(fields: Fields) -> ExportFormat:
    written = fields.text("response_format") or ExportFormat.JSON
    if written in REFUSED_VALUES:
        raise refused("response_format", f"response_format={written} is not available: {REFUSED_VALUES[written]}")
    return response_format_of(written)


def _granularities(fields: Fields, response_format: ExportFormat) -> frozenset[Granularity]:
    name = "timestamp_granularities"
    written = fields.listed(name)
    unknown = [each for each in written if each not in set(Granularity)]
    if unknown:
        raise refused(name, f"{name}[] is word or segment, not {unknown[0][:40]!r}")
    if written and response_format is not ExportFormat.VERBOSE_JSON:
        raise refused(name, f"{name}[] needs response_format=verbose_json")
    return frozenset(map(Granularity, written)) or frozenset({Granularity.SEGMENT})


def _is_streamed(fields: Fields, response_format: ExportFormat) -> bool:
    written = fields.text("stream").lower()
    if written not in {"", "true", "false", "1", "0"}:
        raise refused("stream", "stream is true or false")
    is_streamed = written in {"true", "1"}
    if is_streamed and response_format not in BODILESS_FORMATS:
        raise refused(
            "stream", f"stream=true gives text; leave out stream, or response_format={response_format.value}"
        )
    return is_streamed


def _check_ignored(fields: Fields) -> None:
    """Check the values of fields that change nothing."""
    for name in fields.listed("include"):
        why = REFUSED_VALUES.get(name, "leave it out")
        raise refused("include", f"include[]={name[:40]} is not available: {why}")
    if written := fields.text("temperature"):
        try:
            is_valid = 0 <= float(written) <= 1
        except ValueError:
            is_valid = False
        if not is_valid:
            raise refused(
                "temperature", "temperature is a number from 0 to 1; nothing is sampled, so it is always 0"
            )


def _options(fields: Fields) -> Iterator[tuple[str, str]]:
    """Yield Kascribe's options and their values, as a form writes them."""
    initial_prompt = _one_of(fields, "prompt", "initial_prompt")
    if initial_prompt:
        yield "initial_prompt", fields.text(initial_prompt)
    hotwords = _one_of(fields, "keywords", "hotwords")
    if hotwords:
        yield "hotwords", ", ".join(fields.listed(hotwords, commas=False))
    if vad := _vad_parameters(fields):
        yield "vad_parameters", vad
    for name in fields.plain:
        if name in _LISTS:
            yield name, ",".join(fields.plain[name])
        elif name not in _TRANSLATED and name not in _OTHER_NAMES:
            yield name, fields.text(name)


def _one_of(fields: Fields, name: str, ours: str) -> str | None:
    """Return which of two names of one option is given. Raises RequestRefused if both are."""
    if fields.has(name) and fields.has(ours):
        raise refused(name, f"{name} and {ours} are one option; leave one of the two out")
    return name if fields.has(name) else ours if fields.has(ours) else None


def _vad_parameters(fields: Fields) -> str:
    """Return the parameters of the voice detector, as OpenAI or faster-whisper names them."""
    name = "chunking_strategy"
    if fields.text(name) == "auto" or not fields.has(name):
        given = fields.objects.get("vad_parameters")
        return json.dumps(given) if given else fields.text("vad_parameters")
    if fields.has("vad_parameters"):
        raise refused(name, f"{name} and vad_parameters are one option; leave one of the two out")
    strategy: dict[str, Any] = fields.object_of(name)
    if strategy.pop("type", None) != "server_vad":
        raise refused(name, f'{name} is "auto", or an object of the type "server_vad"')
    if unknown := strategy.keys() - VAD_FIELDS.keys():
        raise refused(name, f"{name} has no {min(unknown)[:40]!r}; its keys are {', '.join(VAD_FIELDS)}")
    return json.dumps({VAD_FIELDS[key]: value for key, value in strategy.items()})
