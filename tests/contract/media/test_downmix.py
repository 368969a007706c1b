"""What is said on one channel is heard, whatever the others hold; and what FFmpeg mixes well keeps every bit."""

import os
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from models.media.decoding.downmix import SLICE_SECONDS, Downmix
from models.media.decoding.resampling import CHANNELS_LIMIT
from models.media.decoding.sound import SoundReader
from models.whisper.transcriber import Transcriber
from schemas.errors import AudioTooLarge
from schemas.options import Channels, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import QualityFlag
from tests.sound.recordings import SAMPLE_RATE_HERTZ, Format, Sound, read
from tests.support.listening import model_directory, speech

SPOKEN: Final = "zero one two three seven eight nine"
LFE: Final = 3
Channelled = NDArray[np.float32]


@pytest.fixture(scope="module")
def sound() -> Sound:
    """Real speech."""
    return read(speech("en-digits.ogg"))


@pytest.fixture(scope="module")
def transcriber() -> Iterator[Transcriber]:
    """Yield the engine with the model of the repository."""
    opened = Transcriber(WhisperSettings(device="cpu", decoder_processes=1), model_directory(), "selftest")
    yield opened
    opened.close()


def noise(samples: int, *, seed: int, level: float = 0.1) -> Sound:
    """Noise that resembles none of another seed."""
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def wav(path: Path, channels: Channelled) -> Path:
    """Sixteen bits at 16 kHz, so that what is decoded is what is written."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HERTZ)
        file.writeframes((channels.T * 32767).astype("<i2").tobytes())
    return path


def encoded(path: Path, channels: Channelled, form: Format) -> Path:
    """Through a codec, in frames of its own."""
    container: Any
    with av.open(str(path), "w", format=form.container) as container:
        stream = container.add_stream(form.codec, rate=SAMPLE_RATE_HERTZ, layout=form.layout)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(channels.T).reshape(1, -1), format="flt", layout=form.layout
        )
        frame.sample_rate = SAMPLE_RATE_HERTZ
        frame.pts = 0
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout=form.layout, rate=SAMPLE_RATE_HERTZ, frame_size=1024
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def heard(path: Path, *, split: bool = False) -> tuple[NDArray[np.float64], bool]:
    """Return the samples for the model, full scale at 1, and whether the mix was replaced."""
    with SoundReader(path, split=split) as reader:
        samples = np.concatenate(list(reader.blocks(SAMPLE_RATE_HERTZ)), axis=1)
        return samples / 32767, reader.downmix.replaced


def ffmpegs_mix(path: Path) -> NDArray[np.float64]:
    """Return FFmpeg's own mix of the channels."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HERTZ)
    with av.open(str(path)) as container:
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    parts += resampler.resample(None)
    return np.concatenate([part.to_ndarray() for part in filter(None, parts)], axis=1) / 32767


def level(samples: NDArray[np.floating]) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_an_inverted_channel_does_not_silence_the_other(share: float, sound: Sound, tmp_path: Path) -> None:
    """A cable that is wired the wrong way is common, and seldom exact."""
    samples, replaced = heard(wav(tmp_path / "inverted.wav", np.stack([sound, -share * sound])))
    np.testing.assert_allclose(samples[0], sound, atol=1e-3)
    assert replaced


@pytest.mark.parametrize(
    "channels",
    [
        pytest.param(lambda sound: np.stack([sound, sound]), id="the same twice"),
        pytest.param(lambda sound: np.stack([sound, np.zeros_like(sound)]), id="left only"),
        pytest.param(lambda sound: np.stack([sound, 0.5 * np.roll(sound, 12)]), id="two microphones"),
        pytest.param(lambda sound: np.stack([sound, -0.5 * sound]), id="inverted and quieter"),
        pytest.param(lambda sound: np.stack([sound, noise(len(sound), seed=1)]), id="two sources"),
        pytest.param(lambda sound: np.stack([noise(len(sound), seed=n, level=2e-5) for n in (1, 2)]), id="hiss"),
        pytest.param(lambda sound: np.stack([sound] * 6), id="surround"),
        pytest.param(lambda sound: np.stack([*[np.zeros_like(sound)] * 5, sound]), id="one surround channel"),
        pytest.param(
            lambda sound: np.stack(
                [0 * sound] * 2
                + [noise(len(sound), seed=n, level=n * n * 0.001) for n in (1, 10)]
                + [0 * sound] * 2
            ),
            id="quiet sound over a loud LFE",
        ),
    ],
)
def test_a_mix_that_loses_nothing_keeps_every_bit(channels: object, sound: Sound, tmp_path: Path) -> None:
    """Healthy recordings give the samples that FFmpeg gives, and no flag."""
    assert callable(channels)
    path = wav(tmp_path / "healthy.wav", channels(sound))
    samples, replaced = heard(path)
    assert not replaced
    np.testing.assert_array_equal(samples, ffmpegs_mix(path))


def test_words_in_the_lfe_channel_alone_are_heard(sound: Sound, tmp_path: Path) -> None:
    """A recorder with six inputs has its one microphone anywhere; FFmpeg's mix leaves that channel out."""
    channels = np.zeros((6, len(sound)), np.float32)
    channels[LFE] = sound
    samples, replaced = heard(wav(tmp_path / "lfe.wav", channels))
    np.testing.assert_allclose(samples[0], sound, atol=2e-3)
    assert replaced


def test_a_film_whose_other_channels_were_heard_never_falls_back_to_its_rumble(
    sound: Sound, tmp_path: Path
) -> None:
    """An explosion between two lines is no speech, and what FFmpeg mixes stands."""
    silence = np.zeros_like(sound)
    channels = np.stack([np.concatenate([sound, silence, sound])] * 6)
    channels[LFE] = noise(3 * len(sound), seed=5, level=0.3)
    path = wav(tmp_path / "film.wav", channels)
    samples, replaced = heard(path)
    assert not replaced
    np.testing.assert_array_equal(samples, ffmpegs_mix(path))


def test_a_change_midway_loses_no_word_and_makes_no_click(sound: Sound, tmp_path: Path) -> None:
    """One recording with a bad cable for a while: each part is heard, at its time."""
    left = np.concatenate([sound, sound, sound])
    right = np.concatenate([sound, -sound, sound])
    samples, replaced = heard(wav(tmp_path / "midway.wav", np.stack([left, right])))
    assert replaced
    assert samples.shape[1] == len(left)
    slice_samples = int(SLICE_SECONDS * SAMPLE_RATE_HERTZ)
    worst = max(
        level(left[first : first + slice_samples]) - level(samples[0, first : first + slice_samples])
        for first in range(0, len(left), slice_samples)
    )
    assert worst < 0.3 * level(left), "no half second is lost"
    assert np.abs(np.diff(samples[0])).max() <= 1.5 * np.abs(np.diff(left)).max(), "no step that speech has not"


@pytest.mark.parametrize(
    "form", [Format("mka", "aac", "matroska", layout="stereo"), Format("ts", "mp2", "mpegts", layout="stereo")]
)
def test_a_codec_does_not_hide_an_inverted_channel(form: Format, sound: Sound, tmp_path: Path) -> None:
    """Channels that are coded by themselves cancel each other less exactly."""
    samples, replaced = heard(encoded(tmp_path / f"inverted.{form.suffix}", np.stack([sound, -sound]), form))
    assert replaced
    assert level(samples) == pytest.approx(level(sound), rel=0.1)


@pytest.mark.parametrize("count", [32, 64])
def test_channels_without_names_may_cancel_each_other_too(count: int, sound: Sound, tmp_path: Path) -> None:
    """Their mean is ours, and would be silence."""
    channels = np.stack([sound if number % 2 else -sound for number in range(count)])
    samples, replaced = heard(wav(tmp_path / "many.wav", channels))
    assert replaced
    assert level(samples) == pytest.approx(level(sound), rel=0.02)


def test_channels_that_are_kept_apart_are_not_touched(sound: Sound, tmp_path: Path) -> None:
    """Each is heard by itself, so none cancels another."""
    samples, replaced = heard(wav(tmp_path / "split.wav", np.stack([sound, -sound])), split=True)
    assert not replaced
    np.testing.assert_allclose(samples, np.stack([sound, -sound]), atol=1e-4)


def test_the_transcript_of_inverted_channels_has_the_words_and_says_so(
    transcriber: Transcriber, sound: Sound, tmp_path: Path
) -> None:
    """The flag tells readers that one channel replaced all; split channels need no such flag."""
    path = wav(tmp_path / "inverted.wav", np.stack([sound, -sound]))
    mixed = transcriber.transcribe(path, TranscribeOptions())
    assert (mixed.text, mixed.flags) == (SPOKEN, (QualityFlag.DOWNMIX_REPLACED,))
    split = transcriber.transcribe(path, TranscribeOptions(channels=Channels.SPLIT))
    assert split.flags == ()


def test_an_inverted_recording_from_outside_has_its_words(transcriber: Transcriber) -> None:
    """The file in which the words were lost, where the folder of such files is at hand."""
    folder = os.environ.get("KASCRIBE_TEST_CASES")
    if not folder:
        pytest.skip("KASCRIBE_TEST_CASES names no folder of recordings")
    made = transcriber.transcribe(Path(folder) / "media" / "F7_phase_inverted_stereo.opus", TranscribeOptions())
    assert (made.text, made.flags) == (SPOKEN, (QualityFlag.DOWNMIX_REPLACED,))


def framed(channels: Channelled, layout: str) -> Any:
    """Make a frame as a decoder returns it."""
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(channels.T).reshape(1, -1), format="flt", layout=layout
    )
    frame.sample_rate = SAMPLE_RATE_HERTZ
    return frame


def test_what_was_chosen_among_other_channels_is_forgotten_where_they_change(sound: Sound) -> None:
    """A stream may go from six channels to two; the first frame after that is too short to decide anything."""
    downmix = Downmix()
    downmix.apply(framed(np.stack([sound if channel == LFE else 0 * sound for channel in range(6)]), "5.1"))
    assert downmix.replaced
    stereo = framed(np.stack([sound[:160], sound[:160]]), "stereo")
    assert downmix.apply(stereo) is stereo


@pytest.mark.parametrize("split", [False, True])
def test_more_channels_than_recorders_write_are_refused_midway_too(split: bool, tmp_path: Path) -> None:
    """The header that comes first may name two, a later one more than a machine can hold."""
    path = wav(tmp_path / "joined.wav", np.zeros((2, 1_600), np.float32))
    later = wav(tmp_path / "later.wav", np.zeros((CHANNELS_LIMIT + 1, 1_600), np.float32))
    path.write_bytes(path.read_bytes() + later.read_bytes())
    with pytest.raises(AudioTooLarge, match=f"{CHANNELS_LIMIT + 1} channels"):
        heard(path, split=split)
