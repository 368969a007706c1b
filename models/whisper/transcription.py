"""One transcription: reacts to decoder events and inference results, step by step."""

import queue
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from models.media.messages import ContainerOpened, DecodeFinished, DecodeProgress, WindowReady
from models.media.pool import DecodeFailed, DecoderEvent
from models.media.speech.windows import TimeMap, Window
from models.whisper.decode_unit import DecodeUnit, split
from models.whisper.engine import Engine
from models.whisper.gate import Action, Decoded, Judgement, judge, searches
from models.whisper.languages.detection import LanguageDetection, LanguageOfEachSpan, OneLanguage
from models.whisper.languages.one import SpokenLanguage
from models.whisper.options.decoding import search_of, thresholds_of
from models.whisper.rows import (
    Align,
    Alignment,
    Decode,
    EncoderInput,
    Features,
    Operation,
    Row,
)
from models.whisper.state import TranscriptionState
from models.whisper.text.loops import without_loops
from models.whisper.text.loudness import loud_frames
from models.whisper.text.segments import WindowResult, needs_alignment
from models.whisper.text.vocabulary import Vocabulary
from models.whisper.text.words import time_words
from schemas.clock import Clock
from schemas.errors import EngineFailed, JobCancelled
from schemas.options import Lane, Task, TranscribeOptions

SPARSE_TOKENS_PER_SECOND: Final = 1.5
"""Text with fewer tokens may lack words: even slow speech has twice as many."""
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
        self._searches = searches(search_of(options))
        self._thresholds = thresholds_of(options)
        self._prefix = vocabulary.prefix(options.prefix)
        self._engine = engine
        self._vocabulary = vocabulary
        self._read_features = read_features
        self._lane = lane
        self._clock = clock
        self._inbox: queue.SimpleQueue[DecoderEvent | tuple[DecodeUnit, Row[Any]]] = queue.SimpleQueue()
        self.state = TranscriptionState(language=language)
        self._languages = self._detection()

    def _detection(self) -> LanguageDetection:
        candidates = self._options.languages or ()
        if self._options.multilingual and len(candidates) != 1:
            return LanguageOfEachSpan(
                candidates, expected=self._options.language, submit=self._submit, decode=self._decode
            )
        return OneLanguage(self.state, candidates, submit=self._submit, decode=self._decode)

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
        self._languages.advance()

    def _handle_decoder_event(self, event: DecoderEvent) -> None:
        if isinstance(event, DecodeFailed):
            raise event.error
        if isinstance(event, WindowReady):
            self._add_window(event.window())
        elif isinstance(event, ContainerOpened):
            self.state.opened, self.state.opened_at = event, self._clock.monotonic()
        elif isinstance(event, DecodeFinished):
            self.state.finished = event
        elif isinstance(event, DecodeProgress):
            pass

    def _add_window(self, window: Window) -> None:
        unit = DecodeUnit(window, EncoderInput(lambda: self._read_features(window), window.duration_seconds))
        if all(earlier.window.channel != window.channel for earlier in self.state.units):
            unit.prefix = self._prefix
        self.state.units.append(unit)
        self._languages.add(unit)

    def _submit(self, unit: DecodeUnit, operation: Operation, *, first: bool = False) -> None:
        row: Row[Any] = Row(job=self, lane=self._lane, encoder_input=unit.encoder_input, operation=operation)
        row.future.add_done_callback(lambda _: self._inbox.put((unit, row)))
        self._engine.submit(row, first=first)

    def _decode(self, unit: DecodeUnit) -> None:
        prompt = self._vocabulary.prompt(
            language=unit.language,
            task=self._options.task,
            initial_prompt=self._options.initial_prompt,
            hotwords=self._options.hotwords,
        )
        search = self._searches[len(unit.attempts)]
        operation = Decode((*prompt, *unit.prefix), search, unit.language, prefix_tokens=len(unit.prefix))
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
            self._languages.on_detected(unit, result)

    def _apply_gate(self, unit: DecodeUnit) -> None:
        searches_left = len(self._searches) - len(unit.attempts)
        judgement = judge(
            unit.attempts,
            searches_left=searches_left,
            splittable=unit.is_splittable,
            thresholds=self._thresholds,
        )
        if judgement.action is Action.RETRY:
            self._decode(unit)
        elif judgement.action is Action.SPLIT or self._may_end_early(unit, judgement):
            unit.pieces = split(unit)
            unit.encoder_input.encoded = None
            for piece in unit.pieces:
                self._decode(piece)
        elif judgement.action is Action.SILENCE:
            self._finish(unit, WindowResult(unit.window, None, judgement.flags))
        else:
            self._accept(unit, judgement)

    def _may_end_early(self, unit: DecodeUnit, judgement: Judgement) -> bool:
        """Return whether the text is short for the speech: the model may stop where other speech begins."""
        return (
            bool(self._options.multilingual)
            and self._options.vad
            and judgement.action is Action.ACCEPT
            and unit.is_splittable
            and len(unit.window.spans) > 1
            and len(judgement.chosen.tokens) < SPARSE_TOKENS_PER_SECOND * unit.window.duration_seconds
        )

    def _accept(self, unit: DecodeUnit, judgement: Judgement) -> None:
        judgement = self._without_loops(judgement)
        if self._options.word_timestamps or needs_alignment(unit.window) or judgement.is_loop:
            unit.judgement = judgement
            tokens = self._vocabulary.text_tokens(judgement.chosen.tokens)
            self._submit(unit, Align(tokens, unit.language, self._options.task), first=True)
        else:
            self._finish(unit, WindowResult(unit.window, judgement.chosen, judgement.flags))

    def _without_loops(self, judgement: Judgement) -> Judgement:
        """Cut an accepted loop to its first occurrence. Its words are aligned: the window's end is not theirs."""
        if not judgement.is_loop:
            return judgement
        tokens = without_loops(judgement.chosen.tokens)
        return replace(
            judgement, chosen=replace(judgement.chosen, tokens=tokens, text=self._vocabulary.text(tokens))
        )

    def _finish_with_words(self, unit: DecodeUnit, alignment: Alignment) -> None:
        if unit.judgement is None:
            raise EngineFailed("an alignment arrived for text that was not accepted")
        chosen = unit.judgement.chosen
        counted = self._vocabulary.words(
            self._vocabulary.text_tokens(chosen.tokens),
            language=self._text_language(unit),
        )
        loud = loud_frames(unit.encoder_input.read())
        words = time_words(counted, alignment, TimeMap(unit.window.spans), loud=loud)
        self._finish(unit, WindowResult(unit.window, chosen, unit.judgement.flags, words))

    def _text_language(self, unit: DecodeUnit) -> str:
        """Return the language of the text: a translation is English, whatever language was spoken."""
        return "en" if self._options.task is Task.TRANSLATE else unit.language

    def _finish_without_words(self, unit: DecodeUnit) -> None:
        """Accept the text with coarse times: words were not requested, so a failed alignment is no error."""
        if unit.judgement is not None:
            self._finish(unit, WindowResult(unit.window, unit.judgement.chosen, unit.judgement.flags))

    def _finish(self, unit: DecodeUnit, result: WindowResult) -> None:
        unit.result = replace(result, language=self._text_language(unit))
        unit.encoder_input.encoded = None
