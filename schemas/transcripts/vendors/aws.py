"""The result file of a batch job of Amazon Transcribe. Pure.

Source: the examples of outputs in the Amazon Transcribe Developer Guide ("Data output", "Channel identification",
"Language identification"). AWS publishes no schema of this file, and its SDKs have no model of it.

What differs: ``accountId`` is the tenant, and ``language_code`` has no region, since none is known. There is one
alternative.
"""

from collections.abc import Iterator
from typing import Any, Final

from schemas.events import TranscriptEvent
from schemas.transcripts.transcript import Transcript
from schemas.transcripts.vendors.words import (
    SpokenSegment,
    SpokenWord,
    channel_count,
    is_split,
    spoken_segments,
)

COMPLETED: Final = "COMPLETED"
"""A value of the API's ``TranscriptionJobStatus``."""


def aws_result(transcript: Transcript, event: TranscriptEvent) -> dict[str, Any]:
    """Return the whole file. The transcript must have its words: see ``has_all_words``."""
    segments = spoken_segments(transcript)
    labelled = is_split(transcript)
    items = [list(_items(segment, labelled=labelled)) for segment in segments]
    first_ids = _first_ids(items)
    numbered = [item | {"id": number} for number, item in enumerate(item for group in items for item in group)]
    results: dict[str, Any] = {"transcripts": [{"transcript": transcript.text}]}
    if labelled:
        results["channel_labels"] = _channel_labels(transcript, numbered)
    results |= _language(transcript) | {
        "items": numbered,
        "audio_segments": [
            _audio_segment(number, segment, range(first, first + len(group)), labelled=labelled)
            for number, (segment, first, group) in enumerate(zip(segments, first_ids, items, strict=True))
        ],
    }
    return {"jobName": event.job_id, "accountId": event.tenant, "status": COMPLETED, "results": results}


def _items(segment: SpokenSegment, *, labelled: bool) -> Iterator[dict[str, Any]]:
    label = {"channel_label": _label(segment.channel)} if labelled else {}
    for word in segment.words:
        if word.content:
            yield label | _pronunciation(word)
        if word.marks:
            # AWS gives marks neither times nor a confidence above 0.
            yield label | {
                "alternatives": [{"confidence": "0.0", "content": word.marks}],
                "type": "punctuation",
            }


def _pronunciation(word: SpokenWord) -> dict[str, Any]:
    return {
        "start_time": _number(word.start),
        "end_time": _number(word.end),
        "alternatives": [{"confidence": _number(word.probability), "content": word.content}],
        "type": "pronunciation",
    }


def _first_ids(groups: list[list[dict[str, Any]]]) -> list[int]:
    first, firsts = 0, []
    for group in groups:
        firsts.append(first)
        first += len(group)
    return firsts


def _audio_segment(number: int, segment: SpokenSegment, ids: range, *, labelled: bool) -> dict[str, Any]:
    return {
        "id": number,
        "transcript": segment.text,
        "start_time": _number(segment.start),
        "end_time": _number(segment.end),
        **({"channel_label": _label(segment.channel)} if labelled else {}),
        "items": list(ids),
    }


def _channel_labels(transcript: Transcript, items: list[dict[str, Any]]) -> dict[str, Any]:
    count = channel_count(transcript)
    labels = [_label(channel) for channel in range(count)]
    return {
        "channels": [
            {"channel_label": label, "items": [item for item in items if item["channel_label"] == label]}
            for label in labels
        ],
        "number_of_channels": count,
    }


def _language(transcript: Transcript) -> dict[str, Any]:
    if transcript.language is None:
        return {}
    found: dict[str, Any] = {"language_code": transcript.language}
    if transcript.all_language_probs:
        found["language_identification"] = [
            {"score": _number(guess.probability), "code": guess.language}
            for guess in transcript.all_language_probs
        ]
    return found


def _label(channel: int) -> str:
    return f"ch_{channel}"


def _number(value: float) -> str:
    # All of AWS's numbers are strings.
    return str(round(float(value), 3))
