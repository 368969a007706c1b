"""One transcription: reacts to decoder events and inference results, step by step."""

import queue
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from models.media.messages import ContainerOpened, DecodeFinished, DecodeProgress, WindowReady
from models.media.pool import DecodeFailed, DecoderEvent
from models.media.speech.windows import TimeMap, Window
from models.whisper.decode_unit import DecodeUnit, split
from models.whisper.engine import Engine
from models.whisper.gate import PENALTIES, Action, Decoded, judge
from models.whisper.language import SpokenLanguage, decide_language
from models.whisper.rows import (
    Align,
    Alignment,
    Decode,
    DetectLanguage,
    EncoderInput,
    Features,
    Languages,
    Operation,
    Row,
)
from models.whisper.state import TranscriptionState
from models.whisper.text.segments import WindowResult, needs_alignment
from models.whisper.text.vocabulary import Vocabulary
from models.whisper.text.words import time_words
from schemas.clock import Clock
from schemas.errors import EngineFailed, JobCancelled
from schemas.options import Lane, Task, TranscribeOptions

POLL_SECONDS: Final = 0.1
"""Interval between checks for cancellation and engine failure."""


class Transcription:
    """Runs in its caller's thread; decoder events and inference results reach it through one queue.

    ``read_features`` returns the features of a window that the decoder has announced.
    """

    def __init__(
        self,
        options: TranscribeOptions,
        *,
        engine: Engine,
        vocabulary: Vocabulary,
        read_features: Callable[[Window], Features],
        lane: Lane,
        language: SpokenLanguage | None,
        clock: Clock,
    ) -> None:
        self._options = options
        self._engine = engine
        self._vocabulary = vocabulary
        self._read_features = read_features
        self._lane = lane
        self._clock = clock
        self._inbox: queue.SimpleQueue[DecoderEvent | tuple[DecodeUnit, Row[Any]]] = queue.SimpleQueue()
        self._detections: list[Languages] = []
        self._detecting = False
        self._undecided: deque[DecodeUnit] = deque()
        self.state = TranscriptionState(language=language)

    def on_decoder_event(self, event: DecoderEvent) -> None:
        """Enqueue an event of the decoder. Called from any thread; does not block."""
        self._inbox.put(event)

    def steps(self, cancelled: Callable[[], bool]) -> Iterator[TranscriptionState]:
        """Yield the state after each step, until the transcription is complete. Blocks between steps.

        Raises the error of decoding or inference, the error of ``Engine.failure_for``, or JobCancelled.
        """
        try:
            while not self.state.is_complete:
                self._step(cancelled)
                yield self.state
        finally:
            self._engine.cancel(self)

    def _step(self, cancelled: Callable[[], bool]) -> None:
        if cancelled():
            raise JobCancelled("cancelled while transcribing")
        try:
            item = self._inbox.get(timeout=POLL_SECONDS)
        except queue.Empty:
            failure = self._engine.failure_for(self)
            if failure is not None:
                raise failure from None
            return
        if isinstance(item, tuple):
            self._on_result(*item)
        else:
            self._handle_decoder_event(item)

    def _handle_decoder_event(self, event: DecoderEvent) -> None:
        if isinstance(event, DecodeFailed):
            raise event.error
        if isinstance(event, WindowReady):
            self._add_window(event.window())
        elif isinstance(event, ContainerOpened):
            self.state.opened, self.state.opened_at = event, self._clock.monotonic()
        elif isinstance(event, DecodeFinished):
            self.state.finished = event
            self._decide_language()
        elif isinstance(event, DecodeProgress):
            pass

    def _add_window(self, window: Window) -> None:
        unit = DecodeUnit(window, EncoderInput(lambda: self._read_features(window), window.duration_seconds))
        self.state.units.append(unit)
        if self.state.language is not None:
            self._decode(unit)
        else:
            self._undecided.append(unit)
            self._decide_language()

    def _decide_language(self) -> None:
        """Decide the language if the detections suffice, else run detection on the next window."""
        if self.state.language is not None or self._detecting:
            return
        has_more = len(self._detections) < len(self.state.units)
        language = decide_language(self._detections, more_to_come=has_more or self.state.finished is None)
        if language is not None:
            self.state.language = language
            while self._undecided:
                self._decode(self._undecided.popleft())
        elif has_more:
            self._detecting = True
            self._submit(self.state.units[len(self._detections)], DetectLanguage())

    def _submit(self, unit: DecodeUnit, operation: Operation, *, first: bool = False) -> None:
        row: Row[Any] = Row(job=self, lane=self._lane, encoder_input=unit.encoder_input, operation=operation)
        row.future.add_done_callback(lambda _: self._inbox.put((unit, row)))
        self._engine.submit(row, first=first)

    def _decode(self, unit: DecodeUnit) -> None:
        language = self.state.language_code
        prompt = self._vocabulary.prompt(
            language=language,
            task=self._options.task,
            initial_prompt=self._options.initial_prompt,
            hotwords=self._options.hotwords,
        )
        penalty = PENALTIES[len(unit.attempts)]
        operation = Decode(prompt, self._options.beam_size, penalty, language)
        self._submit(unit, operation, first=bool(unit.attempts))

    def _on_result(self, unit: DecodeUnit, row: Row[Any]) -> None:
        if row.future.cancelled():
            raise EngineFailed("the engine was shut down")
        if isinstance(row.operation, Align) and row.future.exception() and not self._options.word_timestamps:
            self._finish_without_words(unit)
            return
        result = row.future.result()
        usage = self.state.usage
        if isinstance(result, Alignment):
            usage.alignment_seconds += row.seconds
            self._finish_with_words(unit, result)
            return
        usage.inference_seconds += row.seconds
        if isinstance(result, Decoded):
            usage.decoded_tokens += len(result.tokens)
            unit.attempts = (*unit.attempts, result)
            self._apply_gate(unit)
        else:
            self._detecting = False
            self._detections.append(result)
            self._decide_language()

    def _apply_gate(self, unit: DecodeUnit) -> None:
        judgement = judge(unit.attempts, splittable=unit.is_splittable)
        if judgement.action is Action.RETRY:
            self._decode(unit)
        elif judgement.action is Action.SPLIT:
            unit.pieces = split(unit)
            unit.encoder_input.encoded = None
            for piece in unit.pieces:
                self._decode(piece)
        elif judgement.action is Action.SILENCE:
            _finish(unit, WindowResult(unit.window, None, judgement.flags))
        elif self._options.word_timestamps or needs_alignment(unit.window):
            unit.judgement = judgement
            tokens = self._vocabulary.text_tokens(judgement.chosen.tokens)
            self._submit(unit, Align(tokens, self.state.language_code, self._options.task), first=True)
        else:
            _finish(unit, WindowResult(unit.window, judgement.chosen, judgement.flags))

    def _finish_with_words(self, unit: DecodeUnit, alignment: Alignment) -> None:
        if unit.judgement is None:
            raise EngineFailed("an alignment arrived for text that was not accepted")
        chosen = unit.judgement.chosen
        # A translation is English, whatever language was spoken.
        counted = self._vocabulary.words(
            self._vocabulary.text_tokens(chosen.tokens),
            language="en" if self._options.task is Task.TRANSLATE else self.state.language_code,
        )
        words = time_words(counted, alignment, TimeMap(unit.window.spans))
        _finish(unit, WindowResult(unit.window, chosen, unit.judgement.flags, words))

    def _finish_without_words(self, unit: DecodeUnit) -> None:
        """Accept the text with coarse times: words were not requested, so a failed alignment is no error."""
        if unit.judgement is not None:
            _finish(unit, WindowResult(unit.window, unit.judgement.chosen, unit.judgement.flags))


def _finish(unit: DecodeUnit, result: WindowResult) -> None:
    unit.result = result
    unit.encoder_input.encoded = None
