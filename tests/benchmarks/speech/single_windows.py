"""A model called with one window at a time, by any search: what the measurements of searches are made with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np

from models.media.speech.features import LogMel
from models.media.speech.windows import WINDOW_FRAMES, WINDOW_SAMPLES
from models.whisper.text.vocabulary import CONTEXT_TOKENS, NON_SPEECH, Vocabulary
from schemas.options import Task
from tests.benchmarks.speech.systems import COMPUTE_TYPE, DEVICE
from tests.sound.recordings import Sound


class SingleWindows:
    """Whisper with the product's features, prompts and suppressed tokens. All methods block."""

    def __init__(self, model: Path) -> None:
        self._whisper = ctranslate2.models.Whisper(str(model), device=DEVICE, compute_type=COMPUTE_TYPE)
        self._features = LogMel(self._whisper.n_mels)
        self.vocabulary = Vocabulary(model, multilingual=True)

    def encode(self, sound: Sound) -> Any:
        """Encode the first half minute of a sound."""
        features = self._features(sound[:WINDOW_SAMPLES])
        padded = np.pad(features, ((0, 0), (0, WINDOW_FRAMES - features.shape[1])))
        return self._whisper.encode(ctranslate2.StorageView.from_array(padded[np.newaxis]))

    def language(self, encoded: Any) -> str:
        """Return the most probable language."""
        return str(self._whisper.detect_language(encoded)[0][0][0]).strip("<|>")

    def search(self, encoded: Any, language: str, *, timestamps: bool = False, **search: Any) -> Any:
        """Return CTranslate2's result for one search."""
        prompt = self.vocabulary.task_tokens(language=language, task=Task.TRANSCRIBE)
        (found,) = self._whisper.generate(
            encoded,
            [list(prompt[:-1] if timestamps else prompt)],
            max_length=CONTEXT_TOKENS,
            return_scores=True,
            suppress_tokens=list(self.vocabulary.suppressed((NON_SPEECH,))),
            **search,
        )
        return found

    def token_probabilities(self, encoded: Any, language: str, tokens: Sequence[int]) -> list[float]:
        """Return the probability of each text token as ``align`` gives it, which knows no search."""
        start = list(self.vocabulary.start(language=language, task=Task.TRANSCRIBE))
        text = list(self.vocabulary.text_tokens(tuple(tokens)))
        (aligned,) = self._whisper.align(encoded, start, [text], [WINDOW_FRAMES])
        return [float(each) for each in aligned.text_token_probs]
