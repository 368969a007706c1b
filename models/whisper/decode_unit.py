"""The unit of decoding: a window, or a piece of a window that holds more text than the token limit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.media.speech.windows import FRAME_SAMPLES, WINDOW_FRAMES, Span, Window
from models.whisper.gate import Decoded
from models.whisper.rows import EncoderInput, Heard, Languages
from models.whisper.text.segments import WindowResult

SPLITS_LIMIT: Final = 2
"""Halves, and halves of halves."""
SPLITTABLE_FRAMES: Final = 800
"""Shorter windows are not split: eight seconds of speech never fill the token limit."""


@dataclass(slots=True, eq=False)
class DecodeUnit:
    """A window or a piece of one. ``result`` is set when its decoding ends; ``pieces`` when it was split.

    ``language`` is empty until it is decided; ``guess`` is the text in the language that was detected in the same
    call, and ``detected`` what was found. ``prefix`` holds the tokens that its text begins with.
    """

    window: Window
    encoder_input: EncoderInput
    splits: int = 0
    attempts: tuple[Decoded, ...] = ()
    guess: Heard | None = None
    result: WindowResult | None = None
    pieces: tuple["DecodeUnit", ...] = ()
    prefix: tuple[int, ...] = ()
    language: str = ""
    detected: Languages | None = None

    def leaves(self) -> Iterator["DecodeUnit"]:
        """Yield the unit itself, or the pieces that it was split into, in time order."""
        if not self.pieces:
            yield self
        for piece in self.pieces:
            yield from piece.leaves()

    @property
    def is_splittable(self) -> bool:
        """Whether it may be split when it holds more words than the token limit."""
        return self.splits < SPLITS_LIMIT and self.window.frames > SPLITTABLE_FRAMES

    @property
    def is_done(self) -> bool:
        """Whether all of its leaves have a result."""
        return all(leaf.result is not None for leaf in self.leaves())


def split(unit: DecodeUnit) -> tuple[DecodeUnit, ...]:
    """Split a unit in two: between spans where a span ends in the middle third, else in the middle."""
    frames = unit.window.frames
    edges: list[int] = []
    samples = 0
    for span in unit.window.spans[:-1]:
        samples += span.samples
        edges.append(samples // FRAME_SAMPLES)
    near = [edge for edge in edges if frames / 3 <= edge <= frames * 2 / 3]
    middle = min(near, key=lambda edge: abs(edge - frames / 2)) if near else frames // 2
    halves = cut(unit, [middle])
    for half in halves:
        half.splits += 1
    return halves


def cut(unit: DecodeUnit, at_frames: Sequence[int]) -> tuple[DecodeUnit, ...]:
    """Cut a unit in pieces before these frames, which rise."""
    pieces: list[DecodeUnit] = []
    rest, first = unit.window.spans, 0
    for end in at_frames:
        spans, rest = _cut_spans(rest, (end - first) * FRAME_SAMPLES)
        pieces.append(_piece(unit, spans, first, end))
        first = end
    return (*pieces, _piece(unit, rest, first, unit.window.frames))


def _piece(unit: DecodeUnit, spans: tuple[Span, ...], first_frame: int, end_frame: int) -> DecodeUnit:
    def read() -> NDArray[np.float32]:
        return unit.encoder_input.read()[:, first_frame:end_frame]

    window = replace(unit.window, spans=spans, frames=min(end_frame - first_frame, WINDOW_FRAMES))
    return DecodeUnit(
        window,
        EncoderInput(read, window.duration_seconds),
        splits=unit.splits,
        language=unit.language,
        detected=unit.detected,
        prefix=() if first_frame else unit.prefix,
    )


def _cut_spans(spans: tuple[Span, ...], samples: int) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    before: list[Span] = []
    after: list[Span] = []
    for span in spans:
        inside = min(max(samples, 0), span.samples)
        if inside:
            before.append(Span(span.start, span.start + inside))
        if inside < span.samples:
            after.append(Span(span.start + inside, span.end))
        samples -= span.samples
    return tuple(before), tuple(after)
