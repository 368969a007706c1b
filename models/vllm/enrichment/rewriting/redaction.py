"""Redaction of segments: findings in the joined text, applied to texts and words. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models.vllm.enrichment.rewriting.patterns import Finding, RedactionKind, find_patterns
from schemas.transcripts.transcript import Segment, Word

NAME_CHARACTERS: Final = range(2, 61)
_LETTERS: Final = re.compile(r"[^\W\d_]")
_ALPHABETIC: Final = re.compile(r"[A-Za-z\u00C0-\u024F\u0370-\u052F]")


@dataclass(frozen=True, slots=True)
class Mention:
    """A passage that the model named, as it stands in the transcript."""

    text: str
    kind: RedactionKind


@dataclass(frozen=True, slots=True)
class Redacted:
    """Segments after redaction, and how many passages of each kind they lost."""

    segments: tuple[Segment, ...]
    counts: Mapping[RedactionKind, int]


def redact(segments: Sequence[Segment], mentions: Iterable[Mention] = ()) -> Redacted:
    """Replace findings by their kind in brackets, in texts and words.

    Patterns come first, and mentions apply to what they leave, everywhere in the transcript. The segments of each
    channel are read as one text, so that a number that a pause divides is found as well.
    """
    channels: defaultdict[int | None, list[Segment]] = defaultdict(list)
    for segment in segments:
        channels[segment.channel].append(segment)
    replaced: dict[int, Segment] = {}
    counts: Counter[RedactionKind] = Counter()
    for spoken in channels.values():
        text = " ".join(segment.text for segment in spoken)
        findings = _with_mentions(text, find_patterns(text), mentions)
        counts.update(finding.kind for finding in findings)
        offset = 0
        for segment in spoken:
            inside = _within(findings, offset, offset + len(segment.text))
            replaced[id(segment)] = _apply(segment, inside)
            offset += len(segment.text) + 1
    return Redacted(tuple(replaced[id(segment)] for segment in segments), dict(counts))


def is_plausible(mention: Mention) -> bool:
    """Return whether a mention can be a name or an address: a few words with letters; a Latin name has a capital.

    A small model lists ordinary words as names; this keeps most of those in the text.
    """
    text = mention.text.strip()
    if len(text) not in NAME_CHARACTERS or not _LETTERS.search(text):
        return False
    if mention.kind is not RedactionKind.NAME:
        return True
    words = text.split()
    is_latin = bool(_ALPHABETIC.search(text))
    return len(words) <= 4 and (not is_latin or all(word[0].isupper() for word in (words[0], words[-1])))


def _with_mentions(text: str, findings: list[Finding], mentions: Iterable[Mention]) -> list[Finding]:
    longest_first = sorted(filter(is_plausible, mentions), key=lambda mention: -len(mention.text))
    for mention in longest_first:
        for start, end in _occurrences(text, mention.text.strip()):
            if all(end <= other.start or start >= other.end for other in findings):
                findings.append(Finding(start, end, mention.kind))
    return sorted(findings)


def _occurrences(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    # A name in letters with spaces between words must not be part of a longer word; Korean particles follow names.
    edge = r"(?<![^\W\d_])", r"(?![^\W\d_])"
    before, after = edge if _ALPHABETIC.match(wanted) else ("", "")
    yield from (match.span() for match in re.finditer(before + re.escape(wanted) + after, text))


def _within(findings: Iterable[Finding], start: int, end: int) -> list[Finding]:
    return [
        Finding(max(each.start, start) - start, min(each.end, end) - start, each.kind)
        for each in findings
        if each.start < end and each.end > start
    ]


def _inner(text: str, finding: Finding) -> Finding:
    """Return the finding without spaces at its ends: a segment's text begins with one."""
    part = text[finding.start : finding.end]
    start = finding.start + len(part) - len(part.lstrip())
    return Finding(start, start + len(part.strip()), finding.kind)


def _apply(segment: Segment, findings: Sequence[Finding]) -> Segment:
    findings = [each for each in (_inner(segment.text, one) for one in findings) if each.end > each.start]
    if not findings:
        return segment
    text, reached = "", 0
    for finding in findings:
        text += segment.text[reached : finding.start] + _tag(finding.kind)
        reached = finding.end
    text += segment.text[reached:]
    words = None if segment.words is None else tuple(_redact_words(segment.text, segment.words, findings))
    return segment.model_copy(update={"text": text, "words": words})


def _redact_words(text: str, words: Sequence[Word], findings: Sequence[Finding]) -> Iterator[Word]:
    """Yield the words; those that share a finding become one word with its tag and all their time."""
    open_finding: Finding | None = None
    merged: Word | None = None
    for word, start, end in _places(text, words):
        finding = next((each for each in findings if each.start < end and each.end > start), None)
        if merged is not None and finding is open_finding and finding is not None:
            rest = word.word.strip()[max(finding.end - start, 0) :]
            merged = merged.model_copy(update={"word": merged.word + rest, "end": word.end})
            continue
        if merged is not None:
            yield merged
        open_finding, merged = finding, None
        if finding is None:
            yield word
        else:
            merged = word.model_copy(update={"word": _tagged(word.word, finding, start, end)})
    if merged is not None:
        yield merged


def _places(text: str, words: Sequence[Word]) -> Iterator[tuple[Word, int, int]]:
    reached = 0
    for word in words:
        bare = word.word.strip()
        found = text.find(bare, reached)
        # A word that the text does not contain is placed where the reading is: it shares the finding there.
        start = found if found >= 0 else reached
        reached = start + len(bare) if found >= 0 else reached
        yield word, start, max(reached, start + 1)


def _tagged(written: str, finding: Finding, start: int, end: int) -> str:
    """Return a word with the redacted part replaced; punctuation and particles beside it stay."""
    bare = written.strip()
    leading = written[: len(written) - len(written.lstrip())]
    before = bare[: max(finding.start - start, 0)]
    after = bare[finding.end - start :] if finding.end < end else ""
    return leading + before + _tag(finding.kind) + after


def _tag(kind: RedactionKind) -> str:
    return f"[{kind.value}]"
