"""The report of a file of answers: one table by language, and one by profile for each language."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.enrich_quality.answers import Answer, AnswerFile
from tests.benchmarks.enrich_quality.judging import Counts, counts_of
from tests.benchmarks.enrich_quality.table import table
from tests.benchmarks.enrich_quality.transcripts import LANGUAGES, Transcript

Group = tuple[str, str, str]
"""Tree, profile, language."""


@dataclass(frozen=True, slots=True)
class Report:
    """Judged answers of one tree, or of several to the same cells."""

    trees: tuple[str, ...]
    counts: Mapping[Group, Counts]

    def total(self, tree: str, *, profile: str | None = None, language: str | None = None) -> Counts:
        """Add up the counts of a tree, of one profile or all, of one language or all."""
        chosen = (
            counts
            for (of_tree, of_profile, of_language), counts in self.counts.items()
            if of_tree == tree and profile in {None, of_profile} and language in {None, of_language}
        )
        return sum(chosen, Counter())

    @property
    def profiles(self) -> list[str]:
        """All profiles that any tree answered."""
        return sorted({profile for _, profile, _ in self.counts})

    def print(self, *, by_profile: bool = True) -> None:
        """Print the tables."""
        columns = [
            (f"{language or 'all'}, {tree}", self.total(tree, language=language))
            for language in (*LANGUAGES, None)
            for tree in self.trees
        ]
        print(table(columns))
        for language in LANGUAGES if by_profile else ():
            for tree in self.trees:
                print(f"\n{language}, {tree}, by profile\n")
                print(table([(each, self.total(tree, profile=each, language=language)) for each in self.profiles]))

    def misses(self) -> list[str]:
        """List the goals that the last tree misses: everything published is valid JSON, without fence and runs."""
        counts = self.total(self.trees[-1])
        goals = {"invalid_json": "invalid JSON", "fenced": "the fence word", "digit_runs": "a run of digits"}
        return [f"{counts[key]} published results with {what}" for key, what in goals.items() if counts[key]]


def report_of(answers: AnswerFile, trees: Sequence[str], transcripts: Sequence[Transcript]) -> Report:
    """Judge the answers of trees. Where there are several, only cells that all of them answered count."""
    by_tree: dict[str, dict[tuple[str, str], Answer]] = {tree: answers.of_tree(tree) for tree in trees}
    shared = set.intersection(*(set(found) for found in by_tree.values()))
    known = {transcript.name: transcript for transcript in transcripts}
    counts: dict[Group, Counts] = defaultdict(Counter)
    for tree, found in by_tree.items():
        for key in shared:
            name, profile = key
            if name in known:
                counts[tree, profile, known[name].language] += counts_of(found[key], known[name])
    return Report(tuple(trees), counts)
