"""One record on its way through decoder and engine: what happens next when something happens."""

import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.media.messages import Advanced, Finished, Opened, WindowReady
from models.media.pool import Delivery, Failed
from models.media.speech.windows import TimeMap, Window
from models.whisper.engine import Engine
from models.whisper.gate import PENALTIES, Decoded, Verdict, judge
from models.whisper.language import Spoken, decide
from models.whisper.parts import Part, split
from models.whisper.rows import Align, Alignment, Decode, Detect, Languages, Row, Sound, Work
from models.whisper.text.segments import HeardWindow, needs_alignment
from models.whisper.text.vocabulary import Vocabulary
from models.whisper.text.words import heard_words
from schemas.errors import EngineFailed, JobCancelled
from schemas.options import Lane, TranscribeOptions

LOOK_SECONDS = 0.1
"""Between looks at whether the job was cancelled or the engine is in trouble."""


class FeatureReader(Protocol):
    """Where features are read from."""

    def read(self, window: Window) -> NDArray[np.float32]:
        """The features of a window."""
        ...


@dataclass(slots=True)
class Tally:
    """What the engine spent on the record."""

    inference_seconds: float = 0.0
    alignment_seconds: float = 0.0
    decoded_tokens: int = 0


@dataclass(slots=True)
class Heard:
    """Everything that is known about the record so far."""

    opened: Opened | None = None
    opened_at: float | None = None
    finished: Finished | None = None
    spoken: Spoken | None = None
    parts: list[Part] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def windows(self) -> list[HeardWindow]:
        """What was heard, in the order in which windows came."""
        return [leaf.heard for part in self.parts for leaf in part.leaves() if leaf.heard is not None]


class Transcription:
    """Runs in its caller's thread; deliveries and answers reach it through one queue."""

    def __init__(
        self,
        options: TranscribeOptions,
        *,
        engine: Engine,
        vocabulary: Vocabulary,
        spool: FeatureReader,
        lane: Lane,
        spoken: Spoken | None,
    ) -> None:
        self._options = options
        self._engine = engine
        self._vocabulary = vocabulary
        self._spool = spool
        self._lane = lane
        self._inbox: queue.SimpleQueue[Delivery | tuple[Part, Row[Any]]] = queue.SimpleQueue()
        self._detections: list[Languages] = []
        self._detecting = False
        self._undecided: deque[Part] = deque()
        self.heard = Heard(spoken=spoken)

    def deliver(self, delivery: Delivery) -> None:
        """Takes what the decoder says. Called from any thread; does not block."""
        self._inbox.put(delivery)

    def steps(self, cancelled: Callable[[], bool]) -> Iterator[Heard]:
        """What is known after each step; ends when all is heard. Blocks between steps.

        Raises what decoding or inference raised, what ``Engine.trouble`` says, JobCancelled.
        """
        try:
            while not self._complete():
                self._step(cancelled)
                yield self.heard
        finally:
            self._engine.withdraw(self)

    def _complete(self) -> bool:
        return self.heard.finished is not None and all(part.done for part in self.heard.parts)

    def _step(self, cancelled: Callable[[], bool]) -> None:
        if cancelled():
            raise JobCancelled("cancelled while transcribing")
        try:
            news = self._inbox.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            trouble = self._engine.trouble(self)
            if trouble is not None:
                raise trouble from None
            return
        if isinstance(news, tuple):
            self._take_answer(*news)
        else:
            self._take_delivery(news)

    def _take_delivery(self, news: Delivery) -> None:
        if isinstance(news, Failed):
            raise news.error
        if isinstance(news, WindowReady):
            self._take_window(news.window())
        elif isinstance(news, Opened):
            self.heard.opened, self.heard.opened_at = news, time.monotonic()
        elif isinstance(news, Finished):
            self.heard.finished = news
            self._settle_language()
        elif isinstance(news, Advanced):
            pass

    def _take_window(self, window: Window) -> None:
        part = Part(window, Sound(lambda: self._spool.read(window), window.duration_seconds))
        self.heard.parts.append(part)
        if self.heard.spoken is not None:
            self._decode(part)
        else:
            self._undecided.append(part)
            self._settle_language()

    def _settle_language(self) -> None:
        """Decides the language if it can be, or has the next window listened to."""
        if self.heard.spoken is not None or self._detecting:
            return
        unheard = len(self._detections) < len(self.heard.parts)
        spoken = decide(self._detections, more_to_come=unheard or self.heard.finished is None)
        if spoken is not None:
            self.heard.spoken = spoken
            while self._undecided:
                self._decode(self._undecided.popleft())
        elif unheard:
            self._detecting = True
            self._submit(self.heard.parts[len(self._detections)], Detect())

    def _submit(self, part: Part, work: Work, *, first: bool = False) -> None:
        row: Row[Any] = Row(job=self, lane=self._lane, sound=part.sound, work=work)
        row.answer.add_done_callback(lambda _: self._inbox.put((part, row)))
        self._engine.submit(row, first=first)

    def _decode(self, part: Part) -> None:
        language = self.heard.spoken.language if self.heard.spoken else "en"
        prompt = self._vocabulary.prompt(
            language=language,
            task=self._options.task,
            initial_prompt=self._options.initial_prompt,
            hotwords=self._options.hotwords,
        )
        penalty = PENALTIES[len(part.attempts)]
        work = Decode(prompt, self._options.beam_size, penalty, language)
        self._submit(part, work, first=bool(part.attempts))

    def _take_answer(self, part: Part, row: Row[Any]) -> None:
        if row.answer.cancelled():
            raise EngineFailed("the engine was shut down")
        if isinstance(row.work, Align) and row.answer.exception() and not self._options.word_timestamps:
            self._unaligned(part)
            return
        answer = row.answer.result()
        tally = self.heard.tally
        if isinstance(answer, Alignment):
            tally.alignment_seconds += row.seconds
            self._aligned(part, answer)
            return
        tally.inference_seconds += row.seconds
        if isinstance(answer, Decoded):
            tally.decoded_tokens += len(answer.tokens)
            part.attempts = (*part.attempts, answer)
            self._rule(part)
        else:
            self._detecting = False
            self._detections.append(answer)
            self._settle_language()

    def _rule(self, part: Part) -> None:
        ruling = judge(part.attempts, splittable=part.splittable)
        if ruling.verdict is Verdict.RETRY:
            self._decode(part)
        elif ruling.verdict is Verdict.SPLIT:
            part.pieces = split(part)
            part.sound.encoded = None
            for piece in part.pieces:
                self._decode(piece)
        elif ruling.verdict is Verdict.SILENCE:
            self._done(part, HeardWindow(part.window, None, ruling.flags))
        elif self._options.word_timestamps or needs_alignment(part.window):
            part.ruling = ruling
            tokens = self._vocabulary.text_tokens(ruling.chosen.tokens)
            self._submit(part, Align(tokens, self._language(), self._options.task), first=True)
        else:
            self._done(part, HeardWindow(part.window, ruling.chosen, ruling.flags))

    def _language(self) -> str:
        return self.heard.spoken.language if self.heard.spoken else "en"

    def _aligned(self, part: Part, alignment: Alignment) -> None:
        if part.ruling is None:
            raise EngineFailed("an alignment came for text that nobody accepted")
        chosen = part.ruling.chosen
        # A translation is English whatever was spoken.
        counted = self._vocabulary.words(
            self._vocabulary.text_tokens(chosen.tokens),
            language="en" if self._options.task == "translate" else self._language(),
        )
        words = heard_words(counted, alignment, TimeMap(part.window.spans))
        self._done(part, HeardWindow(part.window, chosen, part.ruling.flags, words))

    def _unaligned(self, part: Part) -> None:
        """Nobody asked for words: a text with coarse times is worth more than a failed record."""
        if part.ruling is not None:
            self._done(part, HeardWindow(part.window, part.ruling.chosen, part.ruling.flags))

    def _done(self, part: Part, heard: HeardWindow) -> None:
        part.heard = heard
        part.sound.encoded = None
