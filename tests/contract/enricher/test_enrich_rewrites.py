"""Redaction and translation, from a transcript event to stored transcripts and exports."""

import json
from collections.abc import Sequence
from typing import Any

from schemas.events import EnrichmentResult, EnrichmentStatus
from schemas.options import EnrichOptions, ExportFormat
from schemas.transcripts.transcript import Segment, Transcript, Word
from tests.contract.enricher.enrich_bench import Bench
from tests.contract.enricher.enrich_jobs import enrichment_in, transcript_record

REDACT = EnrichOptions(profiles=("redact",))
TO_KOREAN = EnrichOptions(profiles=("translation",), language="Korean")


def _segments(*texts: str) -> tuple[Segment, ...]:
    return tuple(Segment(id=n, start=2.0 * n, end=2.0 * n + 2, text=f" {text}") for n, text in enumerate(texts))


def _result(bench: Bench, segments: Sequence[Segment], options: EnrichOptions, **fields: Any) -> EnrichmentResult:
    record = transcript_record(bench.transcript(segments), enrich=options, **fields)
    (result,) = enrichment_in(bench.process(record)).results
    return result


def _body(bench: Bench, uri: str) -> bytes:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return bench.store.client.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_redaction_covers_text_segments_words_and_exports(bench: Bench) -> None:
    """Patterns and the model's names; the stored transcript and the subtitles hold neither."""
    words = tuple(
        Word(word=word, start=n / 2, end=n / 2 + 0.5, probability=1.0)
        for n, word in enumerate([" Call", " Anna", " at", " 010-1234-5678."])
    )
    segment = Segment(id=0, start=0.0, end=2.0, text="".join(word.word for word in words), words=words)
    bench.double.text = json.dumps({"mentions": [{"text": "Anna", "kind": "name"}]})
    exports = {ExportFormat.SRT: "s3://audio/call.srt", ExportFormat.JSON: "s3://audio/call.json"}
    result = _result(bench, [segment], REDACT, exports=exports)
    assert result.status is EnrichmentStatus.COMPLETED
    assert isinstance(result.output, dict)
    assert result.output["text"] == "Call [name] at [number]."
    assert result.output["redactions"] == {"name": 1, "number": 1}
    assert result.coverage == 1.0
    stored = Transcript.model_validate_json(_body(bench, result.output["transcript_uri"]))
    assert [word.word for word in stored.segments[0].words or ()] == [" Call", " [name]", " at", " [number]."]
    assert set(result.output["exports"]) == {"srt", "json"}
    for uri in result.output["exports"].values():
        assert b"[name]" in _body(bench, uri)
        assert b"Anna" not in _body(bench, uri)


def test_without_an_answer_about_names_the_patterns_still_apply(bench: Bench) -> None:
    """The result says that no segment was read for names."""
    bench.double.text = "no JSON"
    result = _result(bench, _segments("mail jane@mail.example.org"), REDACT)
    assert (result.status, result.coverage) == (EnrichmentStatus.COMPLETED, 0.0)
    assert isinstance(result.output, dict)
    assert result.output["text"] == "mail [email]"


def test_a_translation_keeps_the_times_and_becomes_subtitles(bench: Bench) -> None:
    """Each segment has its own line; the language of the result is the requested one."""
    bench.double.text = json.dumps(
        {"lines": ["램프가 고장 났어요.", "정오 전에 보내 주세요."]}, ensure_ascii=False
    )
    segments = _segments("the lamp is broken", "please send it before noon")
    result = _result(bench, segments, TO_KOREAN, exports={ExportFormat.SRT: "s3://audio/call.srt"})
    assert result.status is EnrichmentStatus.COMPLETED
    assert isinstance(result.output, dict)
    assert (result.output["language"], result.coverage) == ("ko", 1.0)
    stored = Transcript.model_validate_json(_body(bench, result.output["transcript_uri"]))
    assert stored.language == "ko"
    assert [(s.start, s.end, s.language) for s in stored.segments] == [(0.0, 2.0, "ko"), (2.0, 4.0, "ko")]
    subtitles = _body(bench, result.output["exports"]["srt"]).decode()
    assert subtitles.startswith("1\n00:00:00,000 --> ")
    assert "정오 전에 보내 주세요." in subtitles


def test_a_list_of_names_that_fills_its_bound_may_be_incomplete(bench: Bench) -> None:
    """The model may have more to say: the result is marked."""
    bench.double.bytes_per_token = 8
    names = [{"text": f"Name {number}", "kind": "name"} for number in range(24)]
    bench.double.text = json.dumps({"mentions": names})
    assert _result(bench, _segments("the lamp is broken"), REDACT).truncated


def test_a_line_that_is_not_translated_keeps_its_text(bench: Bench) -> None:
    """An answer for two lines is none for three: halves are tried, and what stays open is counted."""
    bench.double.text = json.dumps({"lines": ["하나", "둘"]}, ensure_ascii=False)
    result = _result(bench, _segments("the first", "the second", "the third"), TO_KOREAN)
    assert result.status is EnrichmentStatus.COMPLETED
    assert isinstance(result.output, dict)
    assert result.output["text"] == "the first 하나 둘"
    assert round(result.coverage, 2) == 0.67


def test_nothing_translated_is_an_invalid_result(bench: Bench) -> None:
    """Beside another profile that ends well; the failure says so."""
    bench.double.text = "no JSON"
    both = EnrichOptions(profiles=("translation", "redact"), language="Korean")
    record = transcript_record(bench.transcript(_segments("the lamp is broken")), enrich=both)
    translation, redacted = enrichment_in(bench.process(record)).results
    assert translation.status is EnrichmentStatus.INVALID
    assert translation.failure is not None
    assert "Korean" in translation.failure.message
    assert redacted.status is EnrichmentStatus.COMPLETED


def test_a_context_without_room_for_a_line_leaves_the_other_results(bench: Bench) -> None:
    """The message says what to do."""
    bench.double.context_tokens = 320
    both = EnrichOptions(profiles=("translation", "title"), language="Korean")
    record = transcript_record(bench.transcript(_segments("the lamp is broken")), enrich=both)
    translation, title = enrichment_in(bench.process(record)).results
    assert translation.status is EnrichmentStatus.INVALID
    assert translation.failure is not None
    assert "--max-model-len" in translation.failure.message
    assert title.status is EnrichmentStatus.COMPLETED


def test_a_transcript_in_the_wanted_language_is_not_translated(bench: Bench) -> None:
    """English is the default; the model is not asked."""
    result = _result(bench, _segments("the lamp is broken"), EnrichOptions(profiles=("translation",)))
    assert (result.status, result.output, result.coverage) == (EnrichmentStatus.SKIPPED, None, 1.0)
    assert bench.double.completion_requests == []
