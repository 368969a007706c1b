"""Detection of languages while a file is decoded: which windows are examined, and what follows from it."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate, groupby, pairwise
from typing import Protocol

from models.media.speech.windows import FRAME_SAMPLES, SAMPLE_RATE_HERTZ, Window
from models.whisper.decode_unit import DecodeUnit, cut
from models.whisper.languages.each_span import (
    EXPECTED_SECONDS,
    HeardSpan,
    LanguageHistory,
    decide_languages,
    likely_changes,
)
from models.whisper.languages.one import SpokenLanguage, among, decide_language, spoken_language
from models.whisper.rows import Heard, Languages
from models.whisper.state import TranscriptionState

Spans = tuple[tuple[int, int], ...]
Accept = Callable[[DecodeUnit], None]


class Listen(Protocol):
    """Submits a unit whose language is open, and is to be detected with those of the spans."""

    def __call__(self, unit: DecodeUnit, spans: Spans = ()) -> None:
        """Submit the unit. Does not block."""
        ...


class LanguageDetection(Protocol):
    """Gives each unit its language, then passes it to ``accept``. Called from the transcription's thread."""

    def add(self, unit: DecodeUnit) -> None:
        """Take the next window."""
        ...

    def on_detected(self, unit: DecodeUnit, heard: Heard) -> None:
        """Take what was heard of a unit whose language was open."""
        ...

    def on_finished(self) -> None:
        """Take notice that no further window comes."""
        ...


class OneLanguage:
    """The first windows decide for the whole file, unless its language is known already."""

    def __init__(
        self, state: TranscriptionState, candidates: Collection[str], *, hear: Listen, accept: Accept
    ) -> None:
        self._state = state
        self._candidates = candidates
        self._hear = hear
        self._accept = accept
        self._detections: list[Languages] = []
        self._detecting = False
        self._undecided: deque[DecodeUnit] = deque()

    def add(self, unit: DecodeUnit) -> None:
        """Accept the window if the language is known; else keep it until then."""
        self._undecided.append(unit)
        self._advance()

    def on_detected(self, unit: DecodeUnit, heard: Heard) -> None:  # noqa: ARG002
        """Count a window's languages."""
        self._detecting = False
        self._detections.append(among(self._candidates, heard.languages))
        self._advance()

    def on_finished(self) -> None:
        """Decide with what there is."""
        self._advance()

    def _advance(self) -> None:
        """Decide the language if the detections suffice, else run detection on the next window."""
        if self._state.language is None and not self._detecting:
            self._decide()
        if self._state.language is not None:
            while self._undecided:
                unit = self._undecided.popleft()
                unit.language = self._state.language.code
                self._accept(unit)

    def _decide(self) -> None:
        has_more = len(self._detections) < len(self._state.units)
        more_to_come = has_more or self._state.finished is None
        self._state.language = decide_language(self._detections, more_to_come=more_to_come)
        if self._state.language is None and has_more:
            self._detecting = True
            self._hear(self._state.units[len(self._detections)])


class LanguageOfEachSpan:
    """Every span of speech has its language; a window is cut in pieces where its spans are likely to differ.

    Pieces are heard by themselves, in the language detected for each; those that turn out to have one language are
    put together again. Windows are decided in order, whatever the order of the results, so equal files give
    equal languages. Each channel is decided by itself: its speaker may have a language of their own.
    """

    def __init__(self, candidates: Collection[str], *, expected: str | None, hear: Listen, accept: Accept) -> None:
        self._candidates = candidates
        self._hear = hear
        self._accept = accept
        self._undecided: deque[DecodeUnit] = deque()
        self._parts: dict[DecodeUnit, tuple[DecodeUnit, ...]] = {}
        start = LanguageHistory({expected: EXPECTED_SECONDS}, expected) if expected else LanguageHistory()
        self._histories: defaultdict[int | None, LanguageHistory] = defaultdict(lambda: start)

    def add(self, unit: DecodeUnit) -> None:
        """Examine the next window."""
        self._undecided.append(unit)
        self._hear(unit, tuple(pairwise(span_edges(unit.window))))

    def on_detected(self, unit: DecodeUnit, heard: Heard) -> None:
        """Examine the parts of a window in which spans seem to differ; decide the windows that lack no result."""
        if heard.spans:
            self._parts[unit] = self._parts_of(unit, [among(self._candidates, each) for each in heard.spans])
        unit.detected = among(self._candidates, heard.languages)
        while self._undecided and self._is_examined(self._undecided[0]):
            self._decide(self._undecided.popleft())

    def on_finished(self) -> None:
        """Do nothing: each window is decided by itself and those before it."""

    def _parts_of(self, unit: DecodeUnit, found: Sequence[Languages]) -> tuple[DecodeUnit, ...]:
        """Return the unit itself, or the pieces to examine by themselves."""
        spans = [
            HeardSpan(span.samples / SAMPLE_RATE_HERTZ, languages)
            for span, languages in zip(unit.window.spans, found, strict=True)
        ]
        changes = likely_changes(spans)
        if not changes:
            return (unit,)
        edges = span_edges(unit.window)
        parts = cut(unit, [edges[place] for place in changes])
        for part in parts:
            self._hear(part)
        return parts

    def _is_examined(self, unit: DecodeUnit) -> bool:
        return unit in self._parts and all(part.detected is not None for part in self._parts[unit])

    def _decide(self, unit: DecodeUnit) -> None:
        parts = self._parts.pop(unit)
        heard = [HeardSpan(part.window.duration_seconds, part.detected or ()) for part in parts]
        channel = unit.window.channel
        languages = decide_languages(heard, self._histories[channel])
        self._histories[channel] = self._histories[channel].extended(heard, languages)
        runs = [[*run] for _, run in groupby(zip(parts, heard, languages, strict=True), key=lambda each: each[2])]
        if len(runs) > 1:
            unit.pieces = _pieces(unit, [[part for part, _, _ in run] for run in runs])
            unit.guess = None
        for piece, run in zip([*unit.leaves()], runs, strict=True):  # accepting a piece may split it
            piece.language = run[0][2]
            piece.detected = mean_languages([span for _, span, _ in run])
            self._accept(piece)


def _pieces(unit: DecodeUnit, runs: Sequence[Sequence[DecodeUnit]]) -> tuple[DecodeUnit, ...]:
    """Return a piece for each run of parts: the part itself, with what was heard, where the run has only one."""
    ends = list(accumulate(sum(part.window.frames for part in run) for run in runs))
    joined = cut(unit, ends[:-1])
    return tuple(run[0] if len(run) == 1 else piece for run, piece in zip(runs, joined, strict=True))


def span_edges(window: Window) -> list[int]:
    """Return the feature frames at which the spans of a window begin, and its last frame."""
    ends = accumulate(span.samples for span in window.spans)
    edges = [0, *(samples // FRAME_SAMPLES for samples in ends)]
    return [*edges[:-1], window.frames]


def mean_languages(spans: Sequence[HeardSpan]) -> Languages:
    """Return the mean probabilities of the languages over the seconds of the spans, the most probable first."""
    total = sum(span.seconds for span in spans) or 1.0
    sums: defaultdict[str, float] = defaultdict(float)
    for span in spans:
        for code, probability in span.languages:
            sums[code] += probability * span.seconds / total
    return tuple(sorted(sums.items(), key=lambda item: -item[1]))


def longest_spoken(units: Sequence[DecodeUnit]) -> SpokenLanguage | None:
    """Return the language that has most of the seconds with text; None where there is no text."""
    heard = [
        (leaf.language, HeardSpan(leaf.window.duration_seconds, leaf.detected or ()))
        for unit in units
        for leaf in unit.leaves()
        if leaf.language and leaf.result is not None and leaf.result.decoded is not None
    ]
    if not heard:
        return None
    seconds: defaultdict[str, float] = defaultdict(float)
    for code, span in heard:
        seconds[code] += span.seconds
    spoken = spoken_language(mean_languages([span for _, span in heard]))
    code = max(seconds, key=lambda each: seconds[each])
    probabilities = {guess.language: guess.probability for guess in spoken.guesses}
    return SpokenLanguage(code, probabilities.get(code), spoken.guesses)
