"""Human speech and Whisper base behind the gateway, read with OpenAI's Python client."""

import difflib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import openai
import pytest
from openai.types.audio import (
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
    TranslationVerbose,
)

from consumers.transcriber.ports import EngineProgress
from models.whisper.transcriber import Transcriber
from schemas.options import Lane, TranscribeOptions
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript
from tests.flow.gateway import GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.sound.recordings import FORMATS, read, write
from tests.sound.wav_listener import WavListener
from tests.support.listening import speech
from tests.support.object_store import running_object_store

CLIPS: Final = ("en/jfk.wav", *(f"en/LJ001-000{number}.wav" for number in (1, 4, 5, 6, 7, 8)))
"""A speech and a book, read aloud by two people: about 50 s, so several windows of the model."""

SAME_WORDS_RATIO: Final = 0.9
KOREAN: Final = "ko/watson_ko-KR_BroadbandModel_sample1.wav"


class RealEngine(WavListener):
    """Whisper base in place of the engine that only counts seconds."""

    def __init__(self, transcriber: Transcriber) -> None:
        super().__init__()
        self._transcriber = transcriber

    @property
    def provenance(self) -> Provenance:
        """The model's own."""
        return self._transcriber.provenance

    def check(self, options: TranscribeOptions) -> None:
        """Refuse what the model cannot do."""
        self._transcriber.check(options)

    def transcribe(
        self,
        path: Path,
        options: TranscribeOptions,
        *,
        on_progress: Callable[[EngineProgress], None],
        cancelled: Callable[[], bool],
        lane: Lane,
        on_audio: Callable[[AudioFacts], None],
    ) -> Transcript:
        """Transcribe with the model."""
        return self._transcriber.transcribe(
            path, options, on_progress=on_progress, cancelled=cancelled, lane=lane, on_audio=on_audio
        )


@pytest.fixture(scope="module")
def bench(real_transcriber: Transcriber) -> Iterator[GatewayBench]:
    """Open a bench with Whisper base as its engine."""
    with (
        MockCluster() as broker,
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        opened.engine = RealEngine(real_transcriber)
        opened.start_transcriber()
        yield opened


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a recording of about a minute, as a phone would: m4a."""
    silence = np.zeros(8_000, np.float32)
    sounds = [part for name in CLIPS for part in (read(speech(name)), silence)]
    path = tmp_path_factory.mktemp("speech") / "speech.m4a"
    return write(path, np.concatenate(sounds), FORMATS["m4a"])


def test_a_stream_of_human_speech_is_its_transcript(client: openai.OpenAI, long_recording: Path) -> None:
    """Text arrives in more than one part, and together it is what the same request without a stream answers."""
    with long_recording.open("rb") as file:
        *deltas, done = client.audio.transcriptions.create(file=file, model="whisper-1", stream=True)
    assert isinstance(done, TranscriptionTextDoneEvent)
    parts = [event.delta for event in deltas if isinstance(event, TranscriptionTextDeltaEvent)]
    assert len(parts) > 1
    with long_recording.open("rb") as file:
        answer = client.audio.transcriptions.create(file=file, model="whisper-1")
    assert "".join(parts) == done.text == answer.text
    assert _likeness(done.text, _expected()) >= SAME_WORDS_RATIO


def test_segments_and_words_of_human_speech_have_openai_s_types(
    client: openai.OpenAI, long_recording: Path
) -> None:
    """Every number is there, times only grow, and the words are those of the text."""
    with long_recording.open("rb") as file:
        answer = client.audio.transcriptions.create(
            file=file,
            model="whisper-1",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    TranscriptionVerbose.model_validate(answer.model_dump(), strict=True)
    assert answer.language == "english"
    assert answer.segments is not None
    assert answer.words is not None
    times = [time for word in answer.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= answer.duration
    assert all(segment.avg_logprob < 0 for segment in answer.segments)
    assert _likeness(" ".join(word.word for word in answer.words), answer.text) >= SAME_WORDS_RATIO


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_korean_is_translated_into_english(client: openai.OpenAI) -> None:
    """A model that can translate answers the other route; the text's language is English."""
    with speech(KOREAN).open("rb") as file:
        answer = client.audio.translations.create(file=file, model="whisper-1", response_format="verbose_json")
    TranslationVerbose.model_validate(answer.model_dump(), strict=True)
    assert answer.language == "english"
    assert re.search(r"[a-z]{3}", answer.text)
    assert not re.search(r"[가-힣]", answer.text)


def _expected() -> str:
    """Return the texts of the clips, as the corpus has them."""
    manifest = speech("manifest.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {clip["file"]: clip["text"] for clip in map(json.loads, manifest)}
    return " ".join(texts[name] for name in CLIPS)


def _likeness(text: str, expected: str) -> float:
    """Return how alike two texts are, word by word, from 0 to 1."""
    heard, spoken = (re.findall(r"\w+", each.lower()) for each in (text, expected))
    return difflib.SequenceMatcher(None, heard, spoken, autojunk=False).ratio()
