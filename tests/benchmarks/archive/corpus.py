"""Jobs with transcripts in English, Korean and Chinese, as many as wanted, reproducible by their seed.

Words follow Zipf's law, as in speech: the first of a vocabulary is in most recordings, the last in a few.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

from consumers.archive import changes
from schemas.errors import Reason
from schemas.events import EnrichmentEvent, Phase, TranscriptEvent
from schemas.options import EnrichOptions
from schemas.transcripts.transcript import Transcript
from tests.contract.archive.archive_events import body, enrichment_event, progress, reference, transcript_event

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL: Final = timedelta(seconds=200)
TENANTS: Final = ("north", "south", "east", "west", "lab")
TENANT_SHARES: Final = (50, 25, 15, 9, 1)
VOCABULARY: Final = 12_000
SUMMARY: Final = EnrichOptions(profiles=("summary",))
ENRICHED_EVERY: Final = 5
FAILED_EVERY: Final = 50

COMMON: Final = {"en": "the", "ko": "회의", "zh": "我们"}
"""In most recordings of their language."""

_SYLLABLES: Final = {
    "en": [consonant + vowel for consonant in "bdklmnprst" for vowel in "aeiou"],
    "ko": [
        chr(0xAC00 + 588 * initial + 28 * medial) for initial in range(0, 19, 2) for medial in (0, 4, 8, 13, 20)
    ],
    "zh": [chr(0x4E00 + 37 * each) for each in range(160)],
}


@dataclass(frozen=True, slots=True)
class ArchivedJob:
    """One job: what was said, and the events about it."""

    key: str
    tenant: str
    language: str
    at: datetime
    texts: tuple[str, ...]
    number: int

    @property
    def is_failed(self) -> bool:
        """Whether it has no transcript."""
        return self.number % FAILED_EVERY == FAILED_EVERY - 1

    def transcript(self) -> Transcript:
        """Return the whole transcript."""
        return body(*self.texts, language=self.language)

    def transcript_event(self, uri: str = "") -> TranscriptEvent:
        """Return the event of the transcript."""
        return transcript_event(
            self.key,
            uri=uri,
            tenant=self.tenant,
            language=self.language,
            occurred_at=self.at + timedelta(seconds=30),
            reference_occurred_at=self.at,
            audio_duration_seconds=len(self.texts) * 4.0,
        )

    def enrichment_event(self) -> EnrichmentEvent | None:
        """Return the event of its enrichment; None for most jobs."""
        if self.number % ENRICHED_EVERY:
            return None
        event = enrichment_event(SUMMARY, self.key, output={"summary": self.texts[0]})
        return event.model_copy(update={"occurred_at": self.at + timedelta(seconds=60), "tenant": self.tenant})

    def changes(self) -> Iterator[changes.Change]:
        """Yield what its events change in the archive."""
        yield changes.requested(reference(self.key, tenant=self.tenant, occurred_at=self.at))
        if self.is_failed:
            failed = progress(Phase.FAILED, self.key, second=0, reason=Reason.AUDIO_EMPTY, tenant=self.tenant)
            yield changes.stepped(failed.model_copy(update={"occurred_at": self.at + timedelta(seconds=5)}))
        else:
            yield changes.transcribed(self.transcript_event(), self.transcript())
        if event := self.enrichment_event():
            yield changes.enriched(event)


def vocabulary(language: str) -> list[str]:
    """Return the words of a language, the commonest first."""
    source = random.Random(language)
    syllables = _SYLLABLES[language]
    sizes = {"en": (2, 4), "ko": (2, 3), "zh": (2, 2)}[language]
    words: dict[str, None] = {COMMON[language]: None}
    while len(words) < VOCABULARY and len(words) < len(syllables) ** 2:
        words["".join(source.choices(syllables, k=source.randint(*sizes)))] = None
    return list(words)


def rare_word(language: str) -> str:
    """Return a word that few recordings have."""
    return vocabulary(language)[-7]


def jobs(count: int, *, seed: int = 7) -> Iterator[ArchivedJob]:
    """Yield jobs, oldest first: six in ten English, three Korean, one Chinese; 12 segments of 10 words."""
    source = random.Random(seed)
    words = {language: vocabulary(language) for language in _SYLLABLES}
    weights = {
        language: list(accumulate(1 / (rank + 2) for rank in range(len(found))))
        for language, found in words.items()
    }
    for number in range(count):
        language = source.choices(("en", "ko", "zh"), (6, 3, 1))[0]
        yield ArchivedJob(
            key=f"call-{number:06d}",
            tenant=source.choices(TENANTS, TENANT_SHARES)[0],
            language=language,
            at=BEGINNING + number * INTERVAL,
            texts=_texts(source, words[language], weights[language], language),
            number=number,
        )


def _texts(
    source: random.Random, words: Sequence[str], weights: Sequence[float], language: str
) -> tuple[str, ...]:
    joint = "" if language == "zh" else " "
    suffixes = ("", "는", "을", "에서") if language == "ko" else ("",)
    return tuple(
        joint.join(
            word + source.choice(suffixes)
            for word in source.choices(words, cum_weights=weights, k=source.randint(4, 16))
        )
        for _ in range(source.randint(4, 20))
    )
