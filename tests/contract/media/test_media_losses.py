"""Whether sound was lost on its way to us: said where it was, and never of a recording that is whole."""

import random
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from models.media.decoding.packets import PacketReader
from tests.sound import media_cases
from tests.sound.media_cases import Voice, later, mux
from tests.sound.recordings import FORMATS, SAMPLE_RATE_HERTZ, Format, write
from tests.sound.sound_reading import CONTAINERS, made, read


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_whole_recording_is_not_called_incomplete(name: str, tmp_path: Path) -> None:
    """Whatever its container and codec say of priming, padding and duration; and no silence is put into it."""
    whole = read(made(tmp_path, name))
    assert not whole.stats.incomplete
    assert whole.stats.silence_seconds == 0
    assert whole.stats.decoded_seconds == pytest.approx(whole.seconds, abs=0.05)
    assert whole.seconds == pytest.approx(9.48, abs=0.2)


@pytest.mark.parametrize("name", FORMATS)
def test_what_people_drop_is_not_called_incomplete(name: str, tmp_path: Path) -> None:
    """Films among it, whose picture goes on for a while; raw aac, whose duration FFmpeg only estimates."""
    sound = np.concatenate([media_cases.clip(media_cases.DIGITS)] * 2)
    form = FORMATS[name]
    whole = read(write(tmp_path / f"clip.{form.suffix}", sound, form))
    assert not whole.stats.incomplete
    assert whole.stats.silence_seconds == 0


@pytest.mark.parametrize("container", ["matroska", "mp4", "mpegts", "avi"])
def test_a_film_that_goes_on_without_sound_has_lost_nothing(container: str, tmp_path: Path) -> None:
    """Its container declares the length of the picture."""
    sound = media_cases.clip(media_cases.DIGITS)
    film = write(tmp_path / "film", np.concatenate([sound, media_cases.silence(20)]), _film(container))
    short = write(tmp_path / "short", sound, _film(container))
    assert not read(film).stats.incomplete
    assert not read(short).stats.incomplete


def _film(container: str) -> Format:
    return Format("film", "libmp3lame" if container == "avi" else "aac", container, rate_hertz=44_100, video=True)


@pytest.mark.parametrize("name", ["mka/opus", "mka/aac", "mp4/aac", "mov/pcm", "flv/aac", "ts/aac"])
def test_a_recording_that_begins_late_has_lost_nothing(name: str, tmp_path: Path) -> None:
    """A clock that does not begin at zero, or an edit list that says so, is no gap."""
    late = read(made(tmp_path, name, later(3_000)))
    assert not late.stats.incomplete
    assert late.seconds == pytest.approx(9.48, abs=0.2)
    assert late.facts.declared_seconds == pytest.approx(9.48, abs=0.2)


@pytest.mark.parametrize("name", ["mka/opus", "mka/aac", "flv/mp3"])
def test_late_timestamps_move_no_sample(name: str, tmp_path: Path) -> None:
    """What a browser records is stamped when it arrives: late by most of a frame, then on time again."""
    chance = random.Random(7)

    def tremble(number: int, packet: Any) -> Any:
        if number % 5 == 4:
            delay = chance.uniform(0, 0.9) * packet.duration
            packet.pts += round(delay)
            packet.dts = packet.pts
        return packet

    even, trembling = read(made(tmp_path, name)), read(made(tmp_path, name, tremble))
    np.testing.assert_array_equal(trembling.samples, even.samples)
    assert trembling.stats.silence_seconds == 0


@pytest.mark.parametrize("name", ["mka/opus", "mka/aac", "mka/mp3", "mp4/aac", "ts/aac", "flv/aac"])
@pytest.mark.parametrize("every", [3, 50])
def test_lost_packets_leave_their_own_length_of_silence(name: str, every: int, tmp_path: Path) -> None:
    """Few or many, the end is where it was."""

    def lose(number: int, packet: Any) -> Any | None:
        return None if number % every == 1 else packet

    whole, lossy = read(made(tmp_path, name)), read(made(tmp_path, name, lose))
    assert lossy.stats.decoded_seconds < whole.stats.decoded_seconds
    assert lossy.seconds == pytest.approx(whole.seconds, abs=0.1)


def test_sound_that_needs_no_resampling_is_silent_where_it_was_lost(tmp_path: Path) -> None:
    """Eight bits too, whose silence is not zero: nothing clicks."""
    for codec in ("pcm_u8", "pcm_s16le", "pcm_f32le"):
        voice = Voice(np.full(SAMPLE_RATE_HERTZ, 0.5, np.float32), codec, SAMPLE_RATE_HERTZ)
        path = mux(tmp_path / codec, "matroska", [voice], change=lambda n, packet: None if n == 8 else packet)
        samples = read(path).samples[0]
        assert not samples[8 * 1_024 + 16 : 9 * 1_024 - 16].any()
        assert (np.abs(samples[: 8 * 1_024 - 16].astype(int) - 16_384) < 200).all()


TRUNCATED = [
    "mka/opus",
    "mka/aac",
    "mka/pcm",
    "flac",
    "flv/aac",
    "flv/mp3",
    "avi/mp3",
    "avi/pcm",
    "aiff",
    "au",
    "caf",
]
TRUNCATED += ["w64", "wav", "wav/adpcm", "wav/mp3", "wavpack", "tta"]


@pytest.mark.parametrize("name", TRUNCATED)
def test_an_upload_that_broke_off_is_incomplete(name: str, tmp_path: Path) -> None:
    """Where the header says how long it should have been."""
    path = made(tmp_path, name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    half = read(path)
    assert half.stats.incomplete
    assert 4 < half.seconds < 7.5


def test_a_streamable_mp4_that_broke_off_is_incomplete(tmp_path: Path) -> None:
    """Its index is at the beginning and names more than came."""
    path = made(tmp_path, "mp4/aac", movflags="faststart")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    half = read(path)
    assert half.stats.incomplete
    assert half.facts.declared_seconds == pytest.approx(9.48, abs=0.1)
    assert half.stats.decoded_seconds < 7


ZEROED = ["mka/opus", "mka/aac", "mka/pcm", "ogg/flac", "flac", "mp4/aac", "ts/mp2", "avi/pcm", "wavpack"]


@pytest.mark.parametrize("name", ZEROED)
def test_a_recording_with_a_damaged_middle_is_incomplete(name: str, tmp_path: Path) -> None:
    """Also where the clock shows later that all is where it belongs."""
    path = made(tmp_path, name)
    content = bytearray(path.read_bytes())
    first, end = len(content) * 45 // 100, len(content) * 55 // 100
    content[first:end] = bytes(end - first)
    path.write_bytes(content)
    damaged = read(path)
    assert damaged.stats.incomplete
    assert damaged.stats.decoded_seconds < 9.2


def test_broken_packets_are_counted(tmp_path: Path) -> None:
    """Each that decodes to nothing, in the middle as at the beginning."""
    broken = read(media_cases.undecodable_beginning(tmp_path / "broken.mka"))
    assert broken.stats.incomplete
    assert 200 < broken.stats.broken_packets < 250
    assert broken.stats.decoded_seconds == pytest.approx(29.7, abs=0.2)


def test_ffmpeg_s_log_is_off_after_a_recording_that_was_given_up(tmp_path: Path) -> None:
    """It would otherwise accumulate in a child that serves other files."""
    with av.open(str(made(tmp_path, "flac"))) as container:
        frames = PacketReader(container, container.streams.audio[0]).frames()
        next(frames)
        assert av.logging.get_level() == av.logging.WARNING
        frames.close()
    assert av.logging.get_level() is None
