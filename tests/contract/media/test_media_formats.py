"""Everything that people drop into buckets is decoded, whatever its container, codec, rate and channels."""

import queue
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from models.media.decoding.sound import SoundReader
from models.media.messages import ContainerOpened, DecodeFinished, WindowReady
from models.media.pool import DecodeFailed, DecodeJob, DecoderEvent, DecoderPool
from models.media.spool import FeatureSpool
from schemas.clock import SystemClock
from schemas.options import Lane
from schemas.settings import WhisperSettings
from tests.sound.recordings import FORMATS, Format, Sound, read, write
from tests.support.listening import speech

MEL_BANDS = 80
CONTAINERS = {
    "mkv": Format("mkv", "pcm_s16le", "matroska"),
    "webm": Format("webm", "libopus", "webm", rate_hertz=48_000),
    "mp4": Format("mp4", "aac", "mp4", rate_hertz=48_000),
    "ts": Format("ts", "aac", "mpegts", rate_hertz=48_000),
}
"""Those that write a time beside every packet."""


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """One child for all of them, as in life."""
    decoders = DecoderPool(WhisperSettings(decoder_processes=1), clock=SystemClock())
    yield decoders
    decoders.close()


@pytest.fixture(scope="module")
def sound() -> Sound:
    """Real speech."""
    return read(speech("en-digits.ogg"))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_decoded_to_its_speech(name: str, sound: Sound, tmp_path: Path, pool: DecoderPool) -> None:
    """Each container and codec gives the whole length, the speech in it and its own facts."""
    form = FORMATS[name]
    events = decode(pool, write(tmp_path / f"clip.{form.suffix}", sound, form))
    opened, finished = events[0], events[-1]
    assert isinstance(opened, ContainerOpened)
    assert isinstance(finished, DecodeFinished)
    assert finished.audio_seconds == pytest.approx(len(sound) / 16_000, abs=0.15)
    assert finished.speech_seconds > 1.0
    assert opened.sample_rate_hertz == form.rate_hertz
    assert opened.channel_count == (2 if form.layout == "stereo" else 1)
    assert sum(isinstance(event, WindowReady) for event in events) == 1


def test_split_channels_are_heard_by_themselves(sound: Sound, tmp_path: Path, pool: DecoderPool) -> None:
    """Speech on the left and nothing on the right gives windows of channel 0 only."""
    path = tmp_path / "stereo.wav"
    stereo = np.stack([sound, np.zeros_like(sound)])
    write_channels(path, stereo)
    events = decode(pool, path, split=True)
    assert [event.channel for event in events if isinstance(event, WindowReady)] == [0]


def test_six_channels_are_mixed_to_one(sound: Sound, tmp_path: Path, pool: DecoderPool) -> None:
    """Surround sound is mixed as FFmpeg mixes it."""
    path = tmp_path / "surround.wav"
    write_channels(path, np.stack([sound] * 6))
    events = decode(pool, path)
    assert isinstance(events[-1], DecodeFinished)
    assert [event.channel for event in events if isinstance(event, WindowReady)] == [None]


@pytest.mark.parametrize("count", [8, 9, 32])
def test_each_of_many_channels_is_heard_by_itself(
    count: int, sound: Sound, tmp_path: Path, pool: DecoderPool
) -> None:
    """A conference recorder's tracks stay apart: speech on the last gives windows of the last only."""
    path = tmp_path / "conference.wav"
    write_channels(path, np.stack([*[np.zeros_like(sound)] * (count - 1), sound]))
    events = decode(pool, path, split=True)
    assert isinstance(events[-1], DecodeFinished)
    assert {event.channel for event in events if isinstance(event, WindowReady)} == {count - 1}


@pytest.mark.parametrize("count", [9, 32, 64])
def test_channels_without_names_are_mixed_to_their_mean(count: int, sound: Sound, tmp_path: Path) -> None:
    """FFmpeg refuses to mix what it has no names for; the recording is heard all the same."""
    path = tmp_path / "conference.wav"
    write_channels(path, np.stack([sound] * count))
    with SoundReader(path, split=False) as reader:
        samples = np.concatenate(list(reader.blocks(16_000)), axis=1)
    np.testing.assert_allclose(samples, (sound[np.newaxis] * 32767).astype(np.int16), atol=1)


def test_a_recording_that_needs_no_resampling_is_passed_through(sound: Sound, tmp_path: Path) -> None:
    """Sixteen bits at 16 kHz are the samples that the model hears."""
    path = write(tmp_path / "plain.wav", sound, Format("wav", "pcm_s16le", "wav"))
    with SoundReader(path, split=False) as reader:
        samples = np.concatenate(list(reader.blocks(16_000)), axis=1)
    np.testing.assert_allclose(samples[0] / 32767, sound, atol=1e-4)


def test_without_voice_detection_every_second_is_kept(sound: Sound, tmp_path: Path, pool: DecoderPool) -> None:
    """Plain windows of thirty seconds, one after the other, to the last sample."""
    path = write(tmp_path / "long.wav", np.concatenate([sound] * 15), Format("wav", "pcm_s16le", "wav"))
    windows = [reply.window() for reply in decode(pool, path, vad=False) if isinstance(reply, WindowReady)]
    assert [window.start_seconds for window in windows] == [30.0 * number for number in range(len(windows))]
    assert windows[-1].end_seconds == pytest.approx(len(sound) * 15 / 16_000, abs=0.01)


@pytest.mark.parametrize(
    ("container_name", "claimed_seconds", "believed_seconds"), [("matroska", 3, 3), ("mov", 3, 3), ("mov", 700, 0)]
)
def test_sound_that_begins_after_the_picture_keeps_its_time(
    container_name: str, claimed_seconds: int, believed_seconds: int, sound: Sound, tmp_path: Path
) -> None:
    """Subtitles made from a film fit the film. A broken clock's claim is not worth hours of silence."""
    path = tmp_path / "film"
    with av.open(str(path), "w", format=container_name) as container:
        picture = container.add_stream("mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        voice = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for _ in range(50):
            blank = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(picture.encode(blank))
        container.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(
            (sound[np.newaxis] * 32767).astype(np.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 16_000
        frame.pts = claimed_seconds * 16_000
        container.mux(voice.encode(frame))
        container.mux(voice.encode(None))
    with SoundReader(path, split=False) as reader:
        samples = np.concatenate([block[0] for block in reader.blocks(16_000)])
    begins = believed_seconds * 16_000
    assert not samples[:begins].any()
    assert len(samples) == pytest.approx(len(sound) + begins, abs=1_600)


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4", "ts"])
def test_what_comes_after_a_gap_in_a_recording_keeps_its_time(suffix: str, sound: Sound, tmp_path: Path) -> None:
    """A recorder that stood still for most of a minute shifts no later word."""
    path = write_at_times(tmp_path / f"paused.{suffix}", sound, CONTAINERS[suffix], starts_seconds=(0, 60))
    with SoundReader(path, split=False) as reader:
        samples = np.concatenate([block[0] for block in reader.blocks(16_000)])
    assert len(samples) == pytest.approx(60 * 16_000 + len(sound), abs=1_600)
    assert not samples[len(sound) + 1_600 : 60 * 16_000 - 1_600].any()
    first, again = samples[: len(sound)].astype(float), samples[60 * 16_000 :].astype(float)
    assert np.abs(again).mean() == pytest.approx(np.abs(first).mean(), rel=0.1)


def test_a_stream_that_changes_its_rate_midway_is_decoded_to_the_end(sound: Sound, tmp_path: Path) -> None:
    """Joined recordings, as radio archives have them, do not stop at the joint."""
    parts = [
        write(tmp_path / f"{rate}.mp3", sound, Format("mp3", "libmp3lame", "mp3", rate_hertz=rate))
        for rate in (16_000, 44_100)
    ]
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with SoundReader(joined, split=False) as reader:
        samples = sum(block.shape[1] for block in reader.blocks(16_000))
    assert 1.8 * len(sound) < samples < 2.2 * len(sound)


def write_at_times(path: Path, sound: Sound, form: Format, *, starts_seconds: tuple[int, ...]) -> Path:
    """Repeat the sound, each time from another moment."""
    container: Any
    with av.open(str(path), "w", format=form.container) as container:
        stream = container.add_stream(form.codec, rate=form.rate_hertz, layout="mono")
        kind = stream.codec_context.format.name
        resampler = av.AudioResampler(format=kind, layout="mono", rate=form.rate_hertz)
        frame = av.AudioFrame.from_ndarray(sound[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = 16_000
        pieces = [*resampler.resample(frame), *resampler.resample(None)]
        whole = np.concatenate([piece.to_ndarray() for piece in pieces], axis=1)
        size = stream.codec_context.frame_size or 960
        for start in starts_seconds:
            for at in range(0, whole.shape[1] - size, size):
                block = av.AudioFrame.from_ndarray(whole[:, at : at + size].copy(), format=kind, layout="mono")
                block.sample_rate = form.rate_hertz
                block.pts = start * form.rate_hertz + at
                container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return path


def write_channels(path: Path, channels: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    """Write a wave file of as many channels, at 16 kHz, without names for them."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((channels.T * 32767).astype(np.int16).tobytes())


def decode(pool: DecoderPool, path: Path, *, split: bool = False, vad: bool = True) -> list[DecoderEvent]:
    """All that is delivered for a file."""
    inbox: queue.SimpleQueue[DecoderEvent] = queue.SimpleQueue()
    spool = FeatureSpool(mel_bands=MEL_BANDS)
    pool.submit(
        DecodeJob(
            path=path,
            spool=spool,
            split=split,
            vad=vad,
            mel_bands=MEL_BANDS,
            lane=Lane.BULK,
            on_event=inbox.put,
            cancelled=lambda: False,
        )
    )
    events = [inbox.get(timeout=60)]
    while not isinstance(events[-1], DecodeFinished | DecodeFailed):
        events.append(inbox.get(timeout=60))
    spool.close()
    return events
