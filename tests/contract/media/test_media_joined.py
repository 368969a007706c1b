"""Recordings put end to end, headers that are wrong, streams that appear midway: all of it is heard."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import AudioUndecodable, PermanentError
from tests.sound import media_cases
from tests.sound.media_cases import later
from tests.sound.sound_reading import made, read


def wave_file(path: Path, declared_bytes: int, content: bytes, after: bytes = b"") -> Path:
    """Make a 16 kHz wave file with any header."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    head = b"RIFF" + struct.pack("<I", min(0xFFFFFFFF, 36 + declared_bytes)) + b"WAVE" + form
    path.write_bytes(head + b"data" + struct.pack("<I", declared_bytes) + content + after)
    return path


def _seconds_of_noise(seconds: float) -> bytes:
    return random.Random(1).randbytes(round(seconds * 32_000) // 2 * 2)


def test_a_wave_file_that_goes_on_past_its_header_is_heard_to_the_end(tmp_path: Path) -> None:
    """A recorder that died had written its header an hour before; that header is wrong, and it is said."""
    path = wave_file(tmp_path / "died.wav", 64_000, _seconds_of_noise(10))
    died = read(path)
    assert died.seconds == pytest.approx(10.0)
    assert died.stats.incomplete
    assert died.facts.declared_seconds == pytest.approx(2.0)


@pytest.mark.parametrize("declared_bytes", [0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFFFB0])
def test_a_wave_file_of_unknown_length_has_lost_nothing(declared_bytes: int, tmp_path: Path) -> None:
    """What was written into a pipe says 0, or as much as fits."""
    piped = read(wave_file(tmp_path / "piped.wav", declared_bytes, _seconds_of_noise(10)))
    assert piped.seconds == pytest.approx(10.0)
    assert not piped.stats.incomplete


@pytest.mark.parametrize(
    "after",
    [b"LIST" + struct.pack("<I", 40_000) + b"INFO" + bytes(39_996), b"TAG" + bytes(125), bytes(511)],
    ids=["list", "tag", "padding"],
)
def test_what_follows_the_sound_of_a_wave_file_is_no_sound(after: bytes, tmp_path: Path) -> None:
    """Chunks with names and pictures, tags that other programs put at the end, and padding."""
    tagged = read(wave_file(tmp_path / "tagged.wav", 320_000, _seconds_of_noise(10), after))
    assert tagged.seconds == pytest.approx(10.0)
    assert not tagged.stats.incomplete


@pytest.mark.parametrize("second", ["flac", "libopus"])
def test_chained_links_of_any_shape_and_codec_are_heard(second: str, tmp_path: Path) -> None:
    """An internet radio's archive: each link has its own headers, rate and channels."""
    chain = read(media_cases.chained(tmp_path / "chain.ogg", second=second))
    assert chain.seconds == pytest.approx(9.65, abs=0.05)
    assert chain.facts.declared_seconds == pytest.approx(9.65, abs=0.05)
    assert not chain.stats.incomplete


def test_a_link_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    """And is counted."""
    path = media_cases.chained(tmp_path / "chain.ogg")
    content = bytearray(path.read_bytes())
    second = content.rfind(b"OggS\0\x02")
    content[second + 28 : second + 60] = bytes(32)
    path.write_bytes(content)
    broken = read(path)
    assert broken.seconds == pytest.approx(4.74, abs=0.05)
    assert broken.stats.incomplete


@pytest.mark.parametrize("name", ["wav", "mp4/aac", "mov/pcm", "ogg/opus", "flac", "mka/opus", "ts/aac", "mp2"])
def test_files_put_end_to_end_are_heard_to_the_end(name: str, tmp_path: Path) -> None:
    """As ``cat`` joins them."""
    path = made(tmp_path, name)
    single = read(path)
    path.write_bytes(path.read_bytes() * 2)
    double = read(path)
    assert double.seconds == pytest.approx(2 * single.seconds, abs=0.2)
    assert not double.stats.incomplete


def test_two_jumps_that_are_not_believed_are_no_loss(tmp_path: Path) -> None:
    """A clock that starts over at another hour has lost nothing, whatever its header makes of it."""
    jumped = read(made(tmp_path, "mka/opus", later(36_000, from_seconds=5)))
    assert jumped.seconds == pytest.approx(9.48, abs=0.1)
    assert not jumped.stats.incomplete


Make = Callable[[Path], Path]


@pytest.mark.parametrize("make", [media_cases.late_streams, media_cases.late_sound], ids=["streams", "sound"])
def test_streams_that_appear_after_opening_cost_no_sound(make: Make, tmp_path: Path) -> None:
    """What FFmpeg finds on its way: PyAV has no place for a stream that was not there at the beginning."""
    assert read(make(tmp_path / "late.flv")).seconds == pytest.approx(4.8, abs=0.1)


@pytest.mark.parametrize("name", ["flv/aac", "flv/mp3", "ts/aac", "ts/mp2"])
def test_mutated_streams_are_decoded_or_refused(name: str, tmp_path: Path) -> None:
    """Whatever happens to their bytes, nothing but our own errors comes out."""
    content = made(tmp_path, name).read_bytes()
    outcomes = []
    for seed in range(25):
        chance = random.Random(seed)
        mutated = bytearray(content)
        for _ in range(chance.choice((1, 10, 100))):
            at = chance.randrange(len(mutated))
            mutated[at : at + chance.randrange(20)] = chance.randbytes(chance.randrange(20))
        path = tmp_path / "mutated"
        path.write_bytes(mutated)
        try:
            outcomes.append(read(path).seconds)
        except PermanentError:
            outcomes.append(0.0)
    assert max(outcomes) > 5


def test_a_link_of_which_nothing_decodes_leaves_the_others(tmp_path: Path) -> None:
    """Its header is whole. The file is incomplete, and undecodable only where it has nothing else."""
    bad, good = (made(tmp_path, name).read_bytes() for name in ("wav/mp3", "wav"))
    begins = bad.index(b"data") + 8
    bad = bad[:begins] + random.Random(3).randbytes(len(bad) - begins)
    path = tmp_path / "joined.wav"
    for content in (bad + good, good + bad):
        path.write_bytes(content)
        joined = read(path)
        assert joined.stats.incomplete
        assert joined.seconds == pytest.approx(9.48, abs=0.01)
    path.write_bytes(bad)
    with pytest.raises(AudioUndecodable, match="packets are broken"):
        read(path)
