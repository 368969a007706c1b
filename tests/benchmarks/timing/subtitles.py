"""Limits that subtitles keep on real transcripts: ``python -m tests.benchmarks.timing.subtitles``.

Transcripts with words and the same ones without are rendered as SubRip and read by a viewer with no code of the
product. ``--before REVISION`` has that revision's code render the same transcripts. Ends with 1 when a limit other
than reading speed is broken or text is lost.
"""

import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Final

from deploy.real_models import fetch_whisper
from deploy.stack.cache import default_cache
from schemas.options import ExportFormat
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Transcript
from tests.benchmarks.timing.timed import transcripts
from tests.benchmarks.timing.word_times import chosen_recordings, parser, percentile
from tests.structure.trees import open_revision
from tests.support.subtitle_limits import Limits, ShownCue, kept, read_srt

HARD_LIMITS: Final = ("lines", "width", "shortest", "longest", "gap")
_RENDER: Final = """
import sys
from pathlib import Path
from schemas.options import ExportFormat
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.transcript import Transcript
for name in sys.argv[1:]:
    transcript = Transcript.model_validate_json(Path(name).read_bytes())
    Path(name + ".srt").write_text(EXPORTERS[ExportFormat.SRT].render(transcript), encoding="utf-8")
"""
"""Renders as revisions did that had no settings of subtitles."""


@dataclass(slots=True)
class Shown:
    """What a viewer sees of some transcripts."""

    cues: int = 0
    kept: defaultdict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    lost: int = 0
    lone: int = 0
    early: list[float] = field(default_factory=list)
    """Seconds from the start of a cue to that of its first word."""

    def add(self, cues: Sequence[ShownCue], transcript: Transcript) -> None:
        """Add the cues of one transcript, which has words."""
        self.cues += len(cues)
        for name, values in kept(cues, Limits()).items():
            self.kept[name] += values
        text = _visible(transcript.text)
        shown = _visible("".join(line for cue in cues for line in cue.lines))
        same = sum(
            block.size for block in SequenceMatcher(None, text, shown, autojunk=False).get_matching_blocks()
        )
        self.lost += len(text) - same
        self.lone += sum(_is_lone(cues, place) for place in range(len(cues)))
        self.early += _word_starts(cues, transcript)

    def share(self, limit: str) -> float:
        """Return the share of cues that keep a limit, in per cent."""
        values = self.kept[limit]
        return 100 * sum(values) / len(values) if values else 100.0

    @property
    def keeps_limits(self) -> bool:
        """Whether every limit but reading speed is kept, and all text is there."""
        return self.lost == 0 and all(all(self.kept[name]) for name in HARD_LIMITS)


def shown_by_language(rendered: Sequence[tuple[str, Transcript, str]]) -> dict[str, Shown]:
    """Return what a viewer sees, from language, transcript and SubRip file."""
    found: defaultdict[str, Shown] = defaultdict(Shown)
    for language, transcript, srt in rendered:
        for key in (language, "all"):
            found[key].add(read_srt(srt), transcript)
    return {key: found[key] for key in sorted(found, key=lambda key: (key == "all", key))}


def render(transcript: Transcript) -> str:
    """Render a transcript as SubRip with the default settings."""
    return EXPORTERS[ExportFormat.SRT].render(transcript, SubtitleSettings())


def render_before(transcripts_: Sequence[Transcript], revision: str) -> list[str]:
    """Render transcripts with the code of a revision that had no settings of subtitles. Blocks for seconds."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        with open_revision(revision) as tar:
            tar.extractall(tree, filter="data")
        names = []
        for number, transcript in enumerate(transcripts_):
            names.append(str(Path(directory) / f"{number}.json"))
            Path(names[-1]).write_text(transcript.model_dump_json(), encoding="utf-8")
        subprocess.run([sys.executable, "-c", _RENDER, *names], cwd=tree, check=True)
        return [Path(f"{name}.srt").read_text(encoding="utf-8") for name in names]


def without_words(transcript: Transcript) -> Transcript:
    """Return the transcript as a job gets it that requests no word times."""
    segments = tuple(segment.model_copy(update={"words": None}) for segment in transcript.segments)
    return transcript.model_copy(update={"segments": segments})


def _visible(text: str) -> str:
    return "".join(text.split())


def _is_lone(cues: Sequence[ShownCue], place: int) -> bool:
    """Return whether a cue is one word between cues that follow at once and no sentence by itself."""
    text = " ".join(cues[place].lines)
    near = cues[max(0, place - 1) : place + 2]
    is_alone = all(after.start_ms - before.end_ms > 1_000 for before, after in pairwise(near))
    return " " not in text and len(text) < 12 and not is_alone and text[-1] not in ".?!。？！"


def _word_starts(cues: Sequence[ShownCue], transcript: Transcript) -> list[float]:
    """Compare the start of each cue with that of its first word, by the place of its text."""
    starts: list[float] = []
    for segment in transcript.segments:
        for word in segment.words or ():
            starts += [word.start] * len(_visible(word.word))
    place, differences = 0, []
    for cue in cues:
        if place < len(starts):
            differences.append(cue.start_ms / 1000 - starts[place])
        place += len(_visible("".join(cue.lines)))
    return differences


def print_table(title: str, found: Mapping[str, Shown]) -> None:
    """Print a table by language: per cent of cues within each limit."""
    print(f"\n{title}: per cent of cues that keep each limit")
    print("language   cues   lines   width   speed  0.7 s    7 s    gap  lone words  lost   start median  p95")
    for language, each in found.items():
        shares = "  ".join(f"{each.share(name):6.1f}" for name in ("lines", "width", "speed", *HARD_LIMITS[2:]))
        early = f"{percentile(each.early, 50):12.3f} {percentile(each.early, 95):6.3f}"
        print(f"{language:8} {each.cues:6}  {shares} {each.lone:10} {each.lost:5}   {early}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return the exit code."""
    options = parser(__doc__ or "")
    options.add_argument("--before", metavar="REVISION", help="render with the code of this revision too")
    chosen = options.parse_args(arguments)
    model = chosen.model or fetch_whisper(default_cache())
    heard = [
        (recording.language, made)
        for recording, made in transcripts(chosen_recordings(chosen), model, keep=chosen.keep)
        if made.segments
    ]
    results = []
    for title, change in (("with word times", lambda made: made), ("without word times", without_words)):
        changed = [change(made) for _, made in heard]
        if chosen.before:
            old = render_before(changed, chosen.before)
            print_table(f"{title}, before", shown_by_language(_rendered(heard, old)))
        found = shown_by_language(_rendered(heard, [render(made) for made in changed]))
        print_table(title, found)
        results.append(found)
    return 0 if heard and all(found["all"].keeps_limits for found in results) else 1


def _rendered(heard: Sequence[tuple[str, Transcript]], files: Sequence[str]) -> list[tuple[str, Transcript, str]]:
    return [(language, made, srt) for (language, made), srt in zip(heard, files, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
