"""One transcription: reacts to decoder events and inference results, step by step."""

import queue
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from models.media.messages import ContainerOpened, DecodeFinished, DecodeProgress, WindowReady
from models.media.pool import DecodeFailed, DecoderEvent
from models.media.speech.windows import TimeMap, Window
from models.whisper.decode_unit import DecodeUnit, split
from models.whisper.gate import Action, Decoded, searches
from models.whisper.inference.engine import Engine
from models.whisper.languages.detection import LanguageDetection, LanguageOfEachSpan, OneLanguage
from models.whisper.languages.one import SpokenLanguage
from models.whisper.options.decoding import search_of, thresholds_of
from models.whisper.rows import Alignment, EncoderInput, Features, Hear, Heard, Row
from models.whisper.spans import TranscriptionSpans
from models.whisper.state import TranscriptionState
from models.whisper.text.loudness import loud_frames
from models.whisper.text.segments import WindowResult, needs_alignment
from models.whisper.text.vocabulary import Vocabulary
from models.whisper.text.words import TimedWord, time_words
from schemas.clock import Clock
from schemas.errors import EngineFailed, JobCancelled
from schemas.monitoring.tracing import current_span
from schemas.options import Lane, Task, TranscribeOptions

SPARSE_TOKENS_PER_SECOND: Final = 1.5
"""Text with fewer tokens may lack words: even slow speech has twice as many."""
POLL_SECONDS: Final = 0.25
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
        self._context = vocabulary.context(initial_prompt=options.initial_prompt, hotwords=options.hotwords)
        self._engine = engine
        self._vocabulary = vocabulary
        self._read_features = read_features
        self._lane = lane
        self._clock = clock
        self._inbox: queue.SimpleQueue[DecoderEvent | tuple[DecodeUnit, Row]] = queue.SimpleQueue()
        self.state = TranscriptionState(language=language)
        self._languages = self._detection()
        transcribing = current_span()
        self._spans = TranscriptionSpans(transcribing) if transcribing else None

    def _detection(self) -> LanguageDetection:
        candidates = self._options.languages or ()
        if self._options.multilingual and len(candidates) != 1:
            return LanguageOfEachSpan(
                candidates, expected=self._options.language, hear=self._hear, accept=self._accept_language
            )
        return OneLanguage(self.state, candidates, hear=self._hear, accept=self._accept_language)

    def on_decoder_event(self, event: DecoderEvent) -> None:
        """Enqueue an event of the decoder. Called from any thread; does not block."""
        self._inbox.put(event)

    def steps(self, cancelled: Callable[[], bool]) -> Iterator[TranscriptionState]:
        """Yield the state after each step, until the transcription is complete. Blocks between steps.

        Raises the error of decoding or inference, the error of ``Engine.failure_for``, or JobCancelled.
        """
        error: BaseException | None = None
        try:
            while not self.state.is_complete:
                self._step(cancelled)
                yield self.state
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._engine.cancel(self)
            if self._spans is not None:
                self._spans.end(self.state, error)

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
            if self._spans is not None:
                self._spans.on_opened(detects_speech=self._options.vad)
        elif isinstance(event, DecodeFinished):
            self.state.finished = event
            if self._spans is not None:
                self._spans.on_decoded(event)
            self._languages.on_finished()
        elif isinstance(event, DecodeProgress):
            pass

    def _add_window(self, window: Window) -> None:
        unit = DecodeUnit(window, EncoderInput(lambda: self._read_features(window), window.duration_seconds))
        if all(earlier.window.channel != window.channel for earlier in self.state.units):
            unit.prefix = self._prefix
        self.state.units.append(unit)
        self._languages.add(unit)

    def _hear(self, unit: DecodeUnit, spans: tuple[tuple[int, int], ...] = ()) -> None:
        """Submit the next attempt at a unit. Without a language, it is detected, and those of the spans."""
        options, tried = self._options, len(unit.attempts)
        operation = Hear(
            search=self._searches[tried],
            language=unit.language or None,
            task=options.task,
            candidates=options.languages or (),
            spans=spans,
            context=self._context,
            prefix=unit.prefix,
            attempts=unit.attempts,
            searches_left=len(self._searches) - tried - 1,
            is_splittable=unit.is_splittable,
            thresholds=self._thresholds,
            fewest_tokens=self._fewest_tokens(unit),
            words=options.word_timestamps or needs_alignment(unit.window),
        )
        row = Row(
            job=self,
            lane=self._lane,
            encoder_input=unit.encoder_input,
            operation=operation,
            position=unit.window.start_seconds,
        )
        row.future.add_done_callback(lambda _: self._inbox.put((unit, row)))
        if self._spans is not None:
            self._spans.on_submitted()
        self._engine.submit(row)

    def _fewest_tokens(self, unit: DecodeUnit) -> float:
        """Return the tokens below which a text may lack those of speech in another language."""
        may_change = self._options.multilingual and self._options.vad and len(unit.window.spans) > 1
        return (
            SPARSE_TOKENS_PER_SECOND * unit.window.duration_seconds if may_change and unit.is_splittable else 0.0
        )

    def _on_result(self, unit: DecodeUnit, row: Row) -> None:
        if row.future.cancelled():
            raise EngineFailed("the engine was shut down")
        heard = row.future.result()
        if self._spans is not None:
            self._spans.on_heard(row, heard)
        usage = self.state.usage
        usage.alignment_seconds += heard.alignment_seconds
        usage.inference_seconds += row.seconds - heard.alignment_seconds
        usage.decoded_tokens += len(heard.decoded.tokens)
        if unit.language:
            self._on_heard(unit, heard)
        else:
            unit.guess = heard
            self._languages.on_detected(unit, heard)

    def _accept_language(self, unit: DecodeUnit) -> None:
        """Take what was heard already, if its language is the one that was decided; else hear it again."""
        if unit.guess is not None and unit.guess.language == unit.language:
            self._on_heard(unit, unit.guess)
        else:
            self._hear(unit)

    def _on_heard(self, unit: DecodeUnit, heard: Heard) -> None:
        unit.attempts = (*unit.attempts, heard.decoded)
        judgement = heard.judgement
        if judgement.action is Action.RETRY:
            self._hear(unit)
        elif judgement.action is Action.SPLIT:
            unit.pieces, unit.guess = split(unit), None
            for piece in unit.pieces:
                self._hear(piece)
        elif judgement.action is Action.SILENCE:
            self._finish(unit, WindowResult(unit.window, None, judgement.flags))
        elif isinstance(heard.alignment, Exception) and self._options.word_timestamps:
            raise EngineFailed(f"inference failed: {heard.alignment}") from heard.alignment
        else:
            # Words that were not asked for only make times finer, so a failed alignment is no error.
            alignment = heard.alignment if isinstance(heard.alignment, Alignment) else None
            words = self._words(unit, judgement.chosen, alignment) if alignment else None
            self._finish(unit, WindowResult(unit.window, judgement.chosen, judgement.flags, words))

    def _words(self, unit: DecodeUnit, chosen: Decoded, alignment: Alignment) -> tuple[TimedWord, ...]:
        tokens = self._vocabulary.text_tokens(chosen.tokens)
        counted = self._vocabulary.words(tokens, language=self._text_language(unit))
        loud = loud_frames(unit.encoder_input.read())
        return time_words(counted, alignment, TimeMap(unit.window.spans), loud=loud)

    def _text_language(self, unit: DecodeUnit) -> str:
        """Return the language of the text: a translation is English, whatever language was spoken."""
        return "en" if self._options.task is Task.TRANSLATE else unit.language

    def _finish(self, unit: DecodeUnit, result: WindowResult) -> None:
        unit.result = replace(result, language=self._text_language(unit))
        unit.guess = None
