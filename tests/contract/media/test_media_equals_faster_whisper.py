"""faster-whisper is the oracle: the same samples, spans of speech and features, although ours come as a stream."""

import queue
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper.audio import decode_audio
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.vad import VadOptions, get_speech_timestamps

from models.media.decoding.sound import SoundReader
from models.media.messages import DecodeFinished, Reply, WindowReady
from models.media.pool import DecodeFailed, DecodeJob, DecoderPool
from models.media.speech.features import LogMel
from models.media.speech.packing import SpeechSpans, WindowPacker
from models.media.speech.silero import VoiceDetector, load_session
from models.media.speech.windows import WINDOW_SAMPLES
from models.media.spool import FeatureSpool
from schemas.clock import SystemClock
from schemas.options import Lane, VadParameters
from schemas.settings import WhisperSettings
from tests.support.listening import speech

CLIPS = (
    "en-digits.ogg",
    "en/jfk.flac",
    "en/sonnet1_p001.ogg",
    "derived/jfk_8k_mulaw.wav",
    "en/fsdd_7_george_0.wav",
)
BLOCK_SAMPLES = 50_000


@pytest.mark.parametrize("clip", CLIPS)
def test_the_samples_are_those_of_faster_whisper(clip: str) -> None:
    """Decoding in blocks gives the samples that decoding at once gives."""
    path = speech(clip)
    with SoundReader(path, split=False) as sound:
        ours = np.concatenate([block[0] for block in sound.blocks(BLOCK_SAMPLES)])
    oracle = np.round(decode_audio(str(path)) * 32768.0).astype(np.int32)
    assert ours.shape == oracle.shape
    assert np.abs(ours.astype(np.int32) - oracle).max() <= 1


@pytest.mark.parametrize("clip", [*CLIPS, "derived/long_joined_en.mp3"])
def test_the_spans_of_speech_are_those_of_faster_whisper(clip: str) -> None:
    """Finding speech block by block finds the spans that looking at the whole finds."""
    audio = decode_audio(str(speech(clip)))
    finder = SpeechSpans(VoiceDetector(load_session()))
    ours = [
        span for at in range(0, len(audio), BLOCK_SAMPLES) for span in finder.feed(audio[at : at + BLOCK_SAMPLES])
    ]
    ours += finder.finish()
    oracle = get_speech_timestamps(audio, VadOptions(max_speech_duration_s=30, min_silence_duration_ms=160))
    assert [(span.start, span.end) for span in ours] == [(span["start"], span["end"]) for span in oracle]


@pytest.mark.parametrize(
    "parameters",
    [
        {"threshold": 0.9},
        {"threshold": 0.2, "neg_threshold": 0.15},
        {"speech_pad_ms": 0},
        {"speech_pad_ms": 30, "min_silence_duration_ms": 0},
        {"min_silence_duration_ms": 2_000},
        {"min_speech_duration_ms": 400, "speech_pad_ms": 100},
        {"max_speech_duration_s": 3.0, "speech_pad_ms": 200},
        {"max_speech_duration_s": 1.5, "min_speech_duration_ms": 250, "threshold": 0.7, "speech_pad_ms": 50},
    ],
    ids=str,
)
@pytest.mark.parametrize("clip", ["en-digits.ogg", "ko-commands.ogg", "derived/long_joined_en.mp3"])
def test_the_spans_are_those_of_faster_whisper_with_the_same_parameters(
    clip: str, parameters: dict[str, Any]
) -> None:
    """Each parameter means the same; together, too."""
    audio = decode_audio(str(speech(clip)))
    finder = SpeechSpans(VoiceDetector(load_session()), VadParameters.model_validate(parameters))
    ours = [
        span for at in range(0, len(audio), BLOCK_SAMPLES) for span in finder.feed(audio[at : at + BLOCK_SAMPLES])
    ]
    ours += finder.finish()
    defaults = {"max_speech_duration_s": 30, "min_silence_duration_ms": 160}
    oracle = get_speech_timestamps(audio, VadOptions(**{**defaults, **parameters}))
    assert [(span.start, span.end) for span in ours] == [(span["start"], span["end"]) for span in oracle]


@pytest.mark.parametrize("samples", [1, 399, 16_000, 123_456, WINDOW_SAMPLES])
@pytest.mark.parametrize("bands", [80, 128])
def test_the_features_are_those_of_faster_whisper(samples: int, bands: int) -> None:
    """Log-mel features equal bit for bit; what is shorter than the FFT is filled up instead of refused."""
    audio = np.random.default_rng(7).normal(0, 0.1, samples).astype(np.float32)
    ours = LogMel(bands)(audio)
    assert ours.shape == (bands, max(1, samples // 160))
    if samples >= 400:
        np.testing.assert_array_equal(ours, FeatureExtractor(feature_size=bands)(audio)[..., :-1])


def test_windows_hold_thirty_seconds_at_most_and_all_of_the_speech() -> None:
    """Packing loses no span, and a window never exceeds what the model can hear."""
    audio = decode_audio(str(speech("derived/long_joined_en.mp3")))
    packer = WindowPacker(SpeechSpans(VoiceDetector(load_session())))
    windows = [
        window
        for at in range(0, len(audio), BLOCK_SAMPLES)
        for window in packer.feed(audio[at : at + BLOCK_SAMPLES])
    ]
    windows += packer.finish()
    for window in windows:
        assert window.samples <= WINDOW_SAMPLES
        expected = np.concatenate([audio[span.start : span.end] for span in window.spans])
        np.testing.assert_array_equal(window.audio(), expected)
    assert sum(window.samples for window in windows) == packer.speech_samples


def test_a_child_gives_the_features_that_this_process_would() -> None:
    """What crosses the process boundary is what was computed."""
    path = speech("en-commands.ogg")
    replies = _decode(path)
    audio = decode_audio(str(path))
    windows = [reply for reply, _ in replies if isinstance(reply, WindowReady)]
    assert len(windows) == 1
    pieces = np.concatenate([audio[start:end] for start, end in windows[0].spans])
    features = next(features for reply, features in replies if reply is windows[0])
    assert features is not None
    np.testing.assert_allclose(features, FeatureExtractor()(pieces)[..., :-1], atol=0.02)


def _decode(
    path: Path,
) -> list[tuple[Reply | DecodeFailed, np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None]]:
    pool = DecoderPool(WhisperSettings(decoder_processes=1), clock=SystemClock())
    spool = FeatureSpool(mel_bands=80)
    inbox: queue.SimpleQueue[Reply | DecodeFailed] = queue.SimpleQueue()
    job = DecodeJob(
        path=path,
        spool=spool,
        split=False,
        vad=True,
        mel_bands=80,
        lane=Lane.BULK,
        on_event=inbox.put,
        cancelled=lambda: False,
    )
    pool.submit(job)
    replies = []
    while True:
        reply = inbox.get(timeout=60)
        replies.append((reply, spool.read(reply.window()) if isinstance(reply, WindowReady) else None))
        if isinstance(reply, DecodeFinished | DecodeFailed):
            break
    pool.close()
    spool.close()
    return replies
