"""Transcripts in the shapes of Amazon Transcribe and Deepgram, read by what reads theirs."""

from collections.abc import Iterator
from datetime import UTC, datetime

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.options import TranscribeOptions
from schemas.transcripts.transcript import (
    Segment,
)
from schemas.transcripts.vendors.aws import COMPLETED
from schemas.transcripts.vendors.deepgram import deepgram_response
from schemas.transcripts.vendors.words import has_all_words, split_marks
from tests.unit.schemas.transcripts.vendor_shapes import (
    HELLO,
    JOB,
    LATER,
    aws,
    deepgram,
    event_of,
    segment,
    split,
    transcript,
    word,
)


def unknown_fields(model: object) -> Iterator[str]:
    """Yield the fields that the SDK's models do not name, at any depth."""
    if isinstance(model, list):
        for each in model:
            yield from unknown_fields(each)
    if isinstance(model, BaseModel):
        yield from model.model_extra or ()
        for name in type(model).model_fields:
            yield from unknown_fields(getattr(model, name))


def test_aws_gives_words_and_marks_as_items() -> None:
    """Numbers are texts; marks have neither times nor confidence, and opening ones stay with their word."""
    items = aws(transcript(HELLO, LATER))["results"]["items"]
    assert [(item["type"], item["alternatives"][0]["content"]) for item in items] == [
        ("pronunciation", "Hello"),
        ("punctuation", ","),
        ("pronunciation", "Kim's"),
        ("pronunciation", "¿here"),
        ("punctuation", "?!"),
        ("pronunciation", "50%"),
        ("punctuation", "…"),
    ]
    assert (items[0]["start_time"], items[0]["end_time"]) == ("0.5", "0.75")
    assert items[3]["alternatives"] == [{"confidence": "0.5", "content": "¿here"}]
    assert items[1] == {
        "id": 1,
        "type": "punctuation",
        "alternatives": [{"confidence": "0.0", "content": ","}],
    }


def test_aws_names_job_account_status_and_language() -> None:
    """The status is one of the API's own model; the account is the tenant."""
    shaped = aws(transcript(HELLO))
    service = botocore.session.get_session().get_service_model("transcribe")
    assert shaped["status"] == COMPLETED
    assert COMPLETED in service.shape_for("TranscriptionJobStatus").enum  # type: ignore[attr-defined]
    assert (shaped["jobName"], shaped["accountId"]) == (JOB, "team")
    results = shaped["results"]
    assert results["transcripts"] == [{"transcript": "Hello, Kim's ¿here?!"}]
    assert (results["language_code"], results["language_identification"]) == (
        "en",
        [{"score": "0.98", "code": "en"}],
    )


def test_aws_segments_refer_to_their_items() -> None:
    """Each segment lists the ids of its items, in order, and none twice."""
    results = aws(transcript(HELLO, LATER))["results"]
    assert [(one["id"], one["transcript"], one["items"]) for one in results["audio_segments"]] == [
        (0, "Hello, Kim's ¿here?!", [0, 1, 2, 3, 4]),
        (1, "50% …", [5, 6]),
    ]
    assert [item["id"] for item in results["items"]] == list(range(7))


def test_channels_are_told_apart() -> None:
    """By labels in AWS's shape, each in a list of its own in Deepgram's."""
    results = aws(split())["results"]
    assert [item["channel_label"] for item in results["items"]] == ["ch_1", "ch_0", "ch_1", "ch_1"]
    labels = results["channel_labels"]
    assert labels["number_of_channels"] == 2
    assert [[item["id"] for item in channel["items"]] for channel in labels["channels"]] == [[1], [0, 2, 3]]
    response = deepgram(split())
    assert response.metadata.channels == 2
    texts = [channel.alternatives[0].transcript for channel in response.results.channels if channel.alternatives]
    assert texts == ["no", "yes well."]
    assert [one.channel for one in response.results.utterances or ()] == [1, 0, 1]


def test_deepgrams_own_models_read_its_shape() -> None:
    """Every field is one of theirs, or documented by them without being in their models."""
    response = deepgram(transcript(HELLO, LATER))
    metadata = response.metadata
    assert (metadata.request_id, metadata.sha256, metadata.duration, metadata.channels) == (JOB, "ab", 10.0, 1)
    assert metadata.created == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert metadata.model_info["m"] == {"name": "m", "version": "0", "arch": "e"}
    (channel,) = response.results.channels
    assert channel.detected_language == "en"
    alternatives = channel.alternatives
    assert alternatives is not None
    (alternative,) = alternatives
    assert alternative.transcript == "Hello, Kim's ¿here?! 50% …"
    words = alternative.words or []
    assert [each.word for each in words] == ["hello", "kim's", "¿here", "50%", "…"]
    assert (words[0].start, words[0].end, words[0].confidence) == (0.5, 0.75, 0.9)
    assert [(words[0].model_extra or {})["punctuated_word"]] == ["Hello,"]
    assert set(unknown_fields(response)) == {"punctuated_word", "language_confidence"}


def test_deepgram_utterances_and_paragraphs_are_the_segments() -> None:
    """A long pause begins a paragraph; ids are the same each time."""
    made = transcript(HELLO, LATER)
    response = deepgram(made)
    utterances = response.results.utterances or []
    assert [(one.start, one.end, one.transcript) for one in utterances] == [
        (0.5, 1.25, "Hello, Kim's ¿here?!"),
        (4.0, 4.5, "50% …"),
    ]
    first = (utterances[0].words or [])[0]
    assert (first.word, first.punctuated_word) == ("hello", "Hello,")
    assert utterances[0].confidence == pytest.approx((0.9 + 0.9 + 0.5) / 3, abs=1e-6)
    assert [one.id for one in utterances] == [one.id for one in deepgram(made).results.utterances or ()]
    alternatives = response.results.channels[0].alternatives
    assert alternatives is not None
    paragraphs = alternatives[0].paragraphs
    assert paragraphs is not None
    assert paragraphs.transcript == "Hello, Kim's ¿here?!\n\n50% …"
    assert [(one.num_words, one.start, one.end) for one in paragraphs.paragraphs or ()] == [
        (3, 0.5, 1.25),
        (2, 4.0, 4.5),
    ]


def test_languages_of_a_multilingual_job_are_told() -> None:
    """Those with more words first, and one for each word."""
    made = transcript(
        segment(0, word(" hi", 0, 1), language="en"),
        segment(1, word(" 안녕", 1, 2), word(" 하세요", 2, 3), language="ko"),
        options=TranscribeOptions(word_timestamps=True, multilingual=True, language="ko"),
    )
    (channel,) = deepgram(made).results.channels
    assert channel.detected_language is None
    assert channel.alternatives is not None
    assert channel.alternatives[0].languages == ["ko", "en"]
    assert [each.language for each in channel.alternatives[0].words or ()] == ["en", "ko", "ko"]


def test_silence_has_both_shapes() -> None:
    """A transcript without segments has its words: there are none."""
    made = transcript(language=None, language_probability=None, all_language_probs=())
    assert has_all_words(made)
    results = aws(made)["results"]
    assert (results["items"], results["transcripts"]) == ([], [{"transcript": ""}])
    assert "language_code" not in results
    response = deepgram(made)
    assert response.results.utterances == []


def test_a_segment_without_words_is_noticed() -> None:
    """Its job was done without word_timestamps; one without text needs none."""
    assert not has_all_words(transcript(HELLO.model_copy(update={"words": None})))
    assert has_all_words(transcript(HELLO, Segment(id=1, start=2, end=3, text=" ")))


@given(st.lists(st.text(max_size=8), min_size=1, max_size=6))
def test_no_text_is_lost_in_any_shape(texts: list[str]) -> None:
    """Whatever the words are, their characters are all there, in order."""
    words = [word(text, number, number + 0.5) for number, text in enumerate(texts)]
    made = transcript(segment(0, *words))
    contents = [item["alternatives"][0]["content"] for item in aws(made)["results"]["items"]]
    assert "".join(contents) == "".join(text.strip() for text in texts)
    shaped = deepgram_response(made, event_of(made))
    given_words = shaped["results"]["channels"][0]["alternatives"][0]["words"]
    assert "".join(each["punctuated_word"] for each in given_words) == "".join(contents)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (" Hello.", ("Hello", ".")),
        ("(well)", ("(well", ")")),
        ("U.S.", ("U.S", ".")),
        ("안녕하세요,", ("안녕하세요", ",")),
        ("你好。", ("你好", "。")),
        ("dogs'", ("dogs'", "")),
        ("...", ("", "...")),
        ("", ("", "")),
    ],
)
def test_marks_are_split_from_the_end_of_a_word(text: str, parts: tuple[str, str]) -> None:
    """In every script; marks that are read aloud or spelt belong to the word."""
    assert split_marks(text) == parts
