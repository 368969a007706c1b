"""The same promises on a GPU: batches across records, and texts that do not depend on them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import ctranslate2
import pytest

from models.whisper.transcriber import Transcriber
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from tests.support.listening import model_directory, speech

pytestmark = pytest.mark.skipif(ctranslate2.get_cuda_device_count() == 0, reason="no GPU that CTranslate2 can use")

CLIPS: Final = ("en-digits.ogg", "en-commands.ogg", "ko-digits.ogg", "ko-commands.ogg")


@pytest.fixture(scope="module")
def transcriber() -> Iterator[Transcriber]:
    """Yield a transcriber on the first GPU, in single precision so that texts can be compared."""
    settings = WhisperSettings(device="cuda", compute_type="float32", batch_size=8)
    each = Transcriber(settings, model_directory(), "test-model")
    each.warm_up()
    yield each
    each.close()


def test_the_device_is_the_gpu(transcriber: Transcriber) -> None:
    """Provenance states where a text was made."""
    assert transcriber.provenance.device == "cuda"


def test_batches_across_records_and_languages_do_not_change_the_text(transcriber: Transcriber) -> None:
    """Each of thirty-two callers gets what a lone caller gets, words included."""
    options = TranscribeOptions(beam_size=2, word_timestamps=True)
    alone = {clip: transcriber.transcribe(speech(clip), options).text for clip in CLIPS}
    with ThreadPoolExecutor(32) as callers:
        together = list(callers.map(lambda clip: (clip, transcriber.transcribe(speech(clip), options)), CLIPS * 8))
    assert all(transcript.text == alone[clip] for clip, transcript in together)
    assert all(segment.words for _, transcript in together for segment in transcript.segments)


def test_a_gpu_recognises_what_a_cpu_recognises(transcriber: Transcriber) -> None:
    """The same weights and precision give the same words."""
    settings = WhisperSettings(device="cpu", compute_type="float32", decoder_processes=1)
    on_cpu = Transcriber(settings, model_directory(), "test-model")
    options = TranscribeOptions(language="en", beam_size=1)
    for clip in CLIPS[:2]:
        assert transcriber.transcribe(speech(clip), options).text == on_cpu.transcribe(speech(clip), options).text
    on_cpu.close()
