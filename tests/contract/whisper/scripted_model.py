"""A model that follows a script, and features of silence."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.media.speech.windows import Window
from models.whisper.gate import Decoded
from models.whisper.inference.features import FeatureBatch
from models.whisper.inference.hearing import needs_words, settle
from models.whisper.languages.one import among
from models.whisper.rows import Alignment, Features, Hear, Heard, Languages
from models.whisper.text.vocabulary import Vocabulary
from tests.support.listening import model_directory


class Script:
    """A model whose texts are a function of penalty and window length.

    Its languages come from a list, or are found by the seconds of a window or span; ``of_spans`` has what is
    detected of a span within its window, where that differs.
    """

    def __init__(
        self,
        text: Callable[[float, float], str],
        *,
        truncated_over_seconds: float = 1_000,
        languages: str | Mapping[float, str] = "en",
        of_spans: Mapping[float, str] | None = None,
    ) -> None:
        self._text = text
        self._truncated_over_seconds = truncated_over_seconds
        self._languages = iter(() if isinstance(languages, Mapping) else languages.split())
        self._of_spans = of_spans or {}
        self._languages_by_length = languages if isinstance(languages, Mapping) else {}
        self.heard: list[Hear] = []
        """What was asked, with the language that it was decoded in."""
        self.aligned: list[tuple[tuple[int, ...], str]] = []
        """The text tokens that were aligned, with their language."""
        self.unalignable = False
        self.tokens: tuple[int, ...] = (2425, 456)  # " hello there", as OpenAI's tokenizer has it
        self.gate = threading.Event()
        self.gate.set()
        self._vocabulary = Vocabulary(model_directory(), multilingual=True)

    def prepare(self, features: Sequence[Features]) -> FeatureBatch:
        """Keep the lengths: the script needs no sound."""
        return FeatureBatch(np.zeros(0, np.float32), tuple(each.shape[1] for each in features))

    def hear(self, batch: FeatureBatch, operations: Sequence[Hear]) -> Sequence[Heard]:
        """One answer per row, by the script."""
        self.gate.wait(30)
        return [
            self._one(frames / 100, operation) for frames, operation in zip(batch.frames, operations, strict=True)
        ]

    def rehearse(self, rows: int) -> None:
        """Do nothing: the script is ready."""

    def _one(self, seconds: float, operation: Hear) -> Heard:
        languages = () if operation.language else self._language(seconds)
        language = operation.language or among(operation.candidates, languages)[0][0]
        lengths = [(end - first) / 100 for first, end in operation.spans]
        decoded = self._decoded(seconds, replace(operation, language=language))
        judgement = settle(operation, decoded, self._vocabulary)
        heard = Heard(
            language=language,
            decoded=decoded,
            judgement=judgement,
            languages=languages,
            spans=tuple(self._language(length, self._of_spans.get(length)) for length in lengths),
        )
        if not needs_words(operation, judgement):
            return heard
        if self.unalignable:
            return replace(heard, alignment=RuntimeError("no alignment heads"))
        tokens = judgement.chosen.tokens
        self.aligned.append((tokens, language))
        starts = tuple(seconds / len(tokens) * number for number in range(len(tokens) + 1))
        return replace(heard, alignment=Alignment(starts, (0.9,) * len(tokens)), alignment_seconds=1e-6)

    def _language(self, seconds: float, known: str | None = None) -> Languages:
        written = known or self._languages_by_length.get(seconds) or next(self._languages, "")
        code, _, probability = written.partition(":")
        return ((code, float(probability or 0.9)), ("la", 0.01))

    def _decoded(self, seconds: float, operation: Hear) -> Decoded:
        self.heard.append(operation)
        return Decoded(
            tokens=self.tokens,
            text=self._text(operation.search.penalty, seconds),
            avg_logprob=-0.2,
            no_speech_prob=0.0,
            penalty=operation.search.penalty,
            truncated=seconds > self._truncated_over_seconds,
        )


def silence(window: Window) -> Features:
    """Return the features of silence, of the window's length."""
    return np.zeros((80, window.frames), np.float32)
