"""Transcripts to enrich, of any number of words, reproducible by their seed."""

import random
from collections.abc import Sequence

from models.vllm.enricher import Enricher
from models.vllm.enrichment.request import EnrichRequest
from schemas.options import EnrichOptions
from schemas.transcripts.transcript import Segment

WORDS: Sequence[str] = tuple(
    word
    for line in (
        "order number five arrives on the second of march and the lamp in the hall is broken",
        "please send three boxes of paper to the office before noon because the train leaves at ten",
    )
    for word in line.split()
)


def spoken(words: int, *, seed: int = 1, longest_segment: int = 24) -> tuple[Segment, ...]:
    """Return segments with that many words in total."""
    source = random.Random(seed)
    segments: list[Segment] = []
    while words > 0:
        size = min(words, source.randint(1, longest_segment))
        text = " ".join(source.choices(WORDS, k=size))
        start = float(len(segments))
        segments.append(Segment(id=len(segments), start=start, end=start + 1, text=text))
        words -= size
    return tuple(segments)


def request_for(
    enricher: Enricher,
    segments: Sequence[Segment],
    *profiles: str,
    instruction: str | None = None,
    job_id: str = "job",
    language: str | None = "en",
) -> EnrichRequest:
    """Return a request for these profiles."""
    options = EnrichOptions(profiles=profiles, instruction=instruction)
    return EnrichRequest(job_id, tuple(segments), language, enricher.profiles_for(options))
