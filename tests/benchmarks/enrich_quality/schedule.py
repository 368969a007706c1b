"""The order of the work: every beginning of it is balanced over profiles, languages and trees."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.enrich_quality.transcripts import LANGUAGES, Transcript

SEED: Final = 11


@dataclass(frozen=True, slots=True)
class Cell:
    """One profile on one transcript."""

    transcript: Transcript
    profile: str

    @property
    def key(self) -> tuple[str, str]:
        """The names of both."""
        return self.transcript.name, self.profile


def cells(transcripts: Sequence[Transcript], profiles: Sequence[str]) -> Iterator[Cell]:
    """Yield every cell once. Each round has all profiles in all languages, on different transcripts.

    Reproducible: a run that is resumed has the same order.
    """
    source = random.Random(SEED)
    shuffled: dict[str, list[Transcript]] = {}
    for language in LANGUAGES:
        of_language = [each for each in transcripts if each.language == language]
        shuffled[language] = source.sample(of_language, len(of_language))
    for number in range(max(map(len, shuffled.values()))):
        for index, profile in enumerate(profiles):
            for chosen in shuffled.values():
                if number < len(chosen):
                    yield Cell(chosen[(number + index) % len(chosen)], profile)
