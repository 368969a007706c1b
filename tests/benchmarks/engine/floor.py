"""The floor: the same windows, prepared in advance, straight into CTranslate2."""

import os
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from models.media.messages import DecodeFinished, WindowReady
from models.media.pool import DecodeFailed, DecodeJob, DecoderEvent, DecoderPool
from models.media.speech.windows import WINDOW_FRAMES, Window
from models.media.spool import FeatureSpool
from models.whisper.inference.device import parallelism
from models.whisper.text.segments import needs_alignment
from models.whisper.text.vocabulary import CONTEXT_TOKENS, Vocabulary
from schemas.clock import SystemClock
from schemas.options import Lane, Task
from schemas.settings import WhisperSettings

DEVICE: Final = "cpu"
COMPUTE_TYPE: Final = "int8"
BEAM_SIZE: Final = 5
PREPARE_SECONDS: Final = 600.0
"""Limit of the wait for one event of a decoder."""


@dataclass(frozen=True, slots=True)
class PreparedWindow:
    """A window, and its features padded to the model's input: 1 x mel bands x frames."""

    window: Window
    features: NDArray[np.float32]


class Floor:
    """CTranslate2 alone, with as many calls at once as Kascribe makes.

    Each window is encoded, decoded, and aligned where Kascribe needs the times of its words; the language is
    detected in the first window of a file. With ``align`` false, no window is aligned. No text is judged, so none
    is searched again.
    """

    def __init__(self, model: Path, *, align: bool) -> None:
        cores = len(os.sched_getaffinity(0))
        self._parallelism = parallelism(WhisperSettings(device=DEVICE), device=DEVICE, cores=cores)
        self._whisper = ctranslate2.models.Whisper(
            str(model),
            device=DEVICE,
            compute_type=COMPUTE_TYPE,
            inter_threads=self._parallelism.replicas,
            intra_threads=self._parallelism.threads,
        )
        self._vocabulary = Vocabulary(model, multilingual=bool(self._whisper.is_multilingual))
        self._suppressed = list(self._vocabulary.suppressed((-1,)))
        self._align = align
        self._files: dict[Path, list[PreparedWindow]] = {}

    def prepare(self, paths: Sequence[Path]) -> None:
        """Decode the files and keep their windows in memory. Blocks. Safe to repeat."""
        with closing(DecoderPool(WhisperSettings(device=DEVICE), clock=SystemClock())) as pool:
            for path in paths:
                if path not in self._files:
                    self._files[path] = list(prepared_windows(pool, path, mel_bands=int(self._whisper.n_mels)))

    def texts(self, paths: Sequence[Path]) -> list[str]:
        """Return the text of each file. Blocks."""
        with ThreadPoolExecutor(self._parallelism.replicas) as threads:
            # First windows come first, so that no call waits long for the language of its file.
            first = {path: threads.submit(self._first, path) for path in paths}
            others = {
                path: [threads.submit(self._other, window, first[path]) for window in self._files[path][1:]]
                for path in paths
            }
            return [
                "".join((first[path].result()[1], *(other.result() for other in others[path]))).strip()
                for path in paths
            ]

    def _first(self, path: Path) -> tuple[str, str]:
        """Return the language of a file, and the text of its first window."""
        if not self._files[path]:
            return "", ""
        prepared = self._files[path][0]
        encoded = self._encoded(prepared)
        token: str = self._whisper.detect_language(encoded)[0][0][0]
        language = token.strip("<|>")
        return language, self._text(prepared, encoded, language)

    def _other(self, prepared: PreparedWindow, first: Future[tuple[str, str]]) -> str:
        language, _ = first.result()  # submitted before this call, so it runs or is done
        return self._text(prepared, self._encoded(prepared), language)

    def _encoded(self, prepared: PreparedWindow) -> Any:
        return self._whisper.encode(ctranslate2.StorageView.from_array(prepared.features), to_cpu=False)

    def _text(self, prepared: PreparedWindow, encoded: Any, language: str) -> str:
        task = Task.TRANSCRIBE
        prompt = self._vocabulary.task_tokens(language=language, task=task)
        result = self._whisper.generate(
            encoded,
            [list(prompt)],
            beam_size=BEAM_SIZE,
            max_length=CONTEXT_TOKENS,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._suppressed,
        )[0]
        tokens = self._vocabulary.text_tokens(tuple(result.sequences_ids[0]))
        if self._align and tokens and needs_alignment(prepared.window):
            start = list(self._vocabulary.start(language=language, task=task))
            self._whisper.align(encoded, start, [list(tokens)], [prepared.window.frames])
        return self._vocabulary.text(tokens)


def prepared_windows(pool: DecoderPool, path: Path, *, mel_bands: int) -> Iterator[PreparedWindow]:
    """Yield the windows of a file; none when it cannot be decoded. Blocks."""
    inbox: queue.SimpleQueue[DecoderEvent] = queue.SimpleQueue()
    announced: list[Window] = []
    with closing(FeatureSpool(mel_bands=mel_bands)) as spool:
        pool.submit(
            DecodeJob(
                path=path,
                spool=spool,
                split=False,
                vad=True,
                mel_bands=mel_bands,
                lane=Lane.BULK,
                on_event=inbox.put,
                cancelled=lambda: False,
            )
        )
        while not isinstance(event := inbox.get(timeout=PREPARE_SECONDS), DecodeFinished):
            if isinstance(event, DecodeFailed):
                return
            if isinstance(event, WindowReady):
                announced.append(event.window())
        for window in announced:
            features = np.zeros((1, mel_bands, WINDOW_FRAMES), np.float32)
            features[0, :, : window.frames] = spool.read(window)
            yield PreparedWindow(window, features)
