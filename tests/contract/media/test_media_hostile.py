"""Bad media fails its own record, with its own reason, and nothing else."""

import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from models.media.messages import DecodeFinished
from schemas.errors import (
    AudioEmpty,
    AudioTooLarge,
    AudioTooLong,
    AudioUndecodable,
)
from schemas.settings import WhisperSettings
from tests.sound import media_cases
from tests.sound.decoding import WAV, Decoders
from tests.sound.media_cases import Voice, mux, silence
from tests.sound.recordings import Format, read, write
from tests.support.listening import speech


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """One child; whatever a test does to it, the next one finds it well."""
    each = Decoders(WhisperSettings(decoder_processes=1, audio_limit_seconds=600))
    yield each
    each.pool.close()


@pytest.fixture(scope="module")
def clip() -> Path:
    """Real speech."""
    return speech("en-digits.ogg")


def test_an_empty_object_is_audio_empty(decoders: Decoders, tmp_path: Path) -> None:
    """No bytes."""
    (tmp_path / "empty.mp3").touch()
    assert isinstance(decoders.outcome(tmp_path / "empty.mp3"), AudioEmpty)


def test_a_header_without_samples_is_audio_empty(decoders: Decoders, tmp_path: Path) -> None:
    """A recorder that was switched on and off."""
    path = tmp_path / "header.wav"
    path.write_bytes(wave_header(declared_bytes=0))
    assert isinstance(decoders.outcome(path), AudioEmpty)


@pytest.mark.parametrize("size_bytes", [1, 100, 5_000, 300_000])
def test_random_bytes_are_undecodable(decoders: Decoders, tmp_path: Path, size_bytes: int) -> None:
    """Whatever container they resemble by chance."""
    path = tmp_path / "random.bin"
    path.write_bytes(random.Random(size_bytes).randbytes(size_bytes))
    assert isinstance(decoders.outcome(path), AudioUndecodable | AudioEmpty)


@pytest.mark.parametrize("text", [b"hello", b"<html><body>404</body></html>" * 50, b"{}" * 3_000, b"\0" * 100_000])
def test_text_is_undecodable(decoders: Decoders, tmp_path: Path, text: bytes) -> None:
    """An error page saved as audio, and a disk that filled up with zeros."""
    path = tmp_path / "page.mp3"
    path.write_bytes(text)
    assert isinstance(decoders.outcome(path), AudioUndecodable)


@pytest.mark.parametrize("make", [media_cases.late_streams, media_cases.late_sound], ids=["streams", "sound"])
def test_streams_that_appear_late_are_no_fault_of_the_decoder(
    decoders: Decoders, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    """PyAV raises IndexError for a stream that was not there at the beginning; the sound is decoded still."""
    outcome = decoders.outcome(make(tmp_path / "late.flv"))
    assert isinstance(outcome, DecodeFinished)
    assert outcome.audio_seconds > 4.5


def test_sound_that_appears_later_than_any_search_is_undecodable(decoders: Decoders, tmp_path: Path) -> None:
    """Four minutes of pictures before it: the record fails at once and for good, as one without sound does."""
    outcome = decoders.outcome(media_cases.late_sound(tmp_path / "late.flv", milliseconds=2_000))
    assert isinstance(outcome, AudioUndecodable)
    assert "no audio stream" in str(outcome)


def test_an_archive_is_undecodable(decoders: Decoders, tmp_path: Path, clip: Path) -> None:
    """Even one that holds audio."""
    path = tmp_path / "audio.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(clip, "clip.ogg")
    assert isinstance(decoders.outcome(path), AudioUndecodable)


def test_a_video_without_sound_is_undecodable(decoders: Decoders, tmp_path: Path) -> None:
    """And the message says why."""
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            picture = np.zeros((48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    failed = decoders.outcome(path)
    assert isinstance(failed, AudioUndecodable)
    assert "no audio stream" in str(failed)


@pytest.mark.parametrize("form", [Format("mp3", "libmp3lame", "mp3"), Format("flac", "flac", "flac"), WAV])
def test_a_truncated_file_gives_what_it_has(decoders: Decoders, tmp_path: Path, clip: Path, form: Format) -> None:
    """An upload that broke off at half is half a recording."""
    whole = write(tmp_path / f"whole.{form.suffix}", read(clip), form).read_bytes()
    path = tmp_path / f"half.{form.suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    outcome = decoders.outcome(path)
    assert isinstance(outcome, DecodeFinished)
    assert 1.5 < outcome.audio_seconds < 4.0


def test_a_damaged_middle_is_left_out(decoders: Decoders, tmp_path: Path, clip: Path) -> None:
    """What follows broken packets is still heard."""
    content = bytearray(write(tmp_path / "whole.mp3", read(clip), Format("mp3", "libmp3lame", "mp3")).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2_000] = random.Random(1).randbytes(2_000)
    path = tmp_path / "damaged.mp3"
    path.write_bytes(bytes(content))
    outcome = decoders.outcome(path)
    assert isinstance(outcome, DecodeFinished)
    assert outcome.audio_seconds > 3.0


def test_an_mp4_that_lost_its_index_is_undecodable(decoders: Decoders, tmp_path: Path, clip: Path) -> None:
    """The index stands at the end: half a file has no usable sample."""
    whole = write(tmp_path / "whole.m4a", read(clip), Format("m4a", "aac", "ipod")).read_bytes()
    path = tmp_path / "half.m4a"
    path.write_bytes(whole[: len(whole) // 2])
    assert isinstance(decoders.outcome(path), AudioUndecodable)


def test_a_lie_about_the_size_is_not_believed(decoders: Decoders, tmp_path: Path) -> None:
    """A header that declares four gigabytes over two seconds of samples costs two seconds."""
    path = tmp_path / "liar.wav"
    path.write_bytes(wave_header(declared_bytes=0xFFFFFFF0) + bytes(2 * 32_000))
    outcome = decoders.outcome(path)
    assert isinstance(outcome, DecodeFinished)
    assert outcome.audio_seconds == pytest.approx(2.0, abs=0.1)


def test_absurd_channels_are_refused(decoders: Decoders, tmp_path: Path) -> None:
    """A header with 65,535 channels neither crashes nor fills the memory."""
    path = tmp_path / "channels.wav"
    path.write_bytes(wave_header(declared_bytes=1_000_000, channels=65_535) + bytes(1_000_000))
    assert isinstance(decoders.outcome(path), AudioTooLarge | AudioUndecodable | AudioEmpty)


def test_audio_over_the_limit_is_too_long(decoders: Decoders, tmp_path: Path) -> None:
    """A small file that unfolds to more than the limit is stopped at it: eleven minutes of silence in flac."""
    path = write(tmp_path / "bomb.flac", np.zeros(11 * 60 * 16_000, np.float32), Format("flac", "flac", "flac"))
    assert path.stat().st_size < 200_000
    failed = decoders.outcome(path)
    assert isinstance(failed, AudioTooLong)
    assert "KASCRIBE_WHISPER_AUDIO_LIMIT_SECONDS" in str(failed)


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
        'mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    ),
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "cue": 'FILE "{target}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_no_other_file(decoders: Decoders, tmp_path: Path, clip: Path, kind: str) -> None:
    """What a playlist names is never read, be it here or on the network."""
    secret = write(tmp_path / "secret.wav", read(clip), WAV)
    for target in (str(secret), secret.as_uri(), "secret.wav", "http://127.0.0.1:9/secret.wav"):
        path = tmp_path / "list.m3u8"
        path.write_text(PLAYLISTS[kind].format(target=target), encoding="utf-8")
        assert isinstance(decoders.outcome(path), AudioUndecodable)


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_an_encrypted_file_is_named_as_such(decoders: Decoders, tmp_path: Path, codec: str) -> None:
    """Also where its packets would decode, to noise."""
    failed = decoders.outcome(media_cases.encrypted(tmp_path / "protected.mp4", codec))
    assert isinstance(failed, AudioUndecodable)
    assert "it is encrypted" in str(failed)


def test_a_protected_track_of_a_shop_is_named_as_such(decoders: Decoders, tmp_path: Path) -> None:
    """Its samples carry no notes on their encryption; the track's kind tells it."""
    path = media_cases.encrypted(tmp_path / "bought.m4p")
    path.write_bytes(path.read_bytes().replace(b"enca", b"drms"))
    failed = decoders.outcome(path)
    assert isinstance(failed, AudioUndecodable)
    assert "it is encrypted" in str(failed)


def test_a_scrambled_broadcast_is_named_as_such(decoders: Decoders, tmp_path: Path) -> None:
    """Its packets say so."""
    failed = decoders.outcome(media_cases.scrambled(tmp_path / "pay.ts"))
    assert isinstance(failed, AudioUndecodable)
    assert "it is encrypted" in str(failed)


def test_a_segment_of_an_encrypted_stream_is_suspected(decoders: Decoders, tmp_path: Path) -> None:
    """Whole blocks of bytes without any pattern are what a cipher leaves; the message says what to do then."""
    path = tmp_path / "segment.ts"
    path.write_bytes(random.Random(3).randbytes(64_000))
    failed = decoders.outcome(path)
    assert isinstance(failed, AudioUndecodable)
    assert "if it is encrypted" in str(failed)


def test_a_playlist_is_named_as_such(decoders: Decoders, tmp_path: Path) -> None:
    """With its key, where it names one."""
    path = tmp_path / "list.m3u8"
    path.write_text(PLAYLISTS["hls"].format(target="a.ts"), encoding="utf-8")
    assert "a playlist" in str(decoders.outcome(path))
    path.write_text('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:10,\na.ts\n', encoding="utf-8")
    assert "it is encrypted" in str(decoders.outcome(path))


HEADERS = {
    "webm": ("libopus", 48_000, b"\x1f\x43\xb6\x75"),
    "matroska": ("aac", 44_100, b"\x1f\x43\xb6\x75"),
    "ogg": ("libopus", 48_000, b"OpusTags"),
    "flac": ("flac", 16_000, b"\xff\xf8"),
    "avi": ("libmp3lame", 44_100, b"00wb"),
    "aiff": ("pcm_s16be", 44_100, b"SSND"),
    "caf": ("pcm_s16le", 44_100, b"data"),
    "flv": ("aac", 44_100, b"\x08"),
}
"""Codec, rate, and where the header ends."""


@pytest.mark.parametrize("container", HEADERS)
def test_a_header_without_sound_is_audio_empty(decoders: Decoders, tmp_path: Path, container: str) -> None:
    """A recorder that was switched on and off, of whatever make."""
    codec, rate, ends = HEADERS[container]
    path = mux(tmp_path / "header", container, [Voice(silence(1), codec, rate)])
    content = path.read_bytes()
    path.write_bytes(content[: content.index(ends, 13)])
    failed = decoders.outcome(path)
    assert isinstance(failed, AudioEmpty)
    assert "header" in str(failed)


def test_parts_of_an_mp4_say_what_they_lack(decoders: Decoders, tmp_path: Path) -> None:
    """Initialisation segments have no sound, fragments no header, an unfinished recording no index."""
    fragmented = {"movflags": "empty_moov+frag_keyframe+default_base_moof"}
    voice = Voice(silence(1), "aac", 44_100)
    content = mux(tmp_path / "whole.mp4", "mp4", [voice], options=fragmented).read_bytes()
    ends = content.index(b"moof") - 4
    path = tmp_path / "part.mp4"
    path.write_bytes(content[:ends])
    assert isinstance(decoders.outcome(path), AudioEmpty)
    path.write_bytes(content[ends:])
    assert "without its initialisation segment" in str(decoders.outcome(path))
    unfinished = mux(tmp_path / "plain.mp4", "mp4", [voice]).read_bytes()
    path.write_bytes(unfinished[: unfinished.index(b"moov") - 4])
    assert "without its index" in str(decoders.outcome(path))


def wave_header(*, declared_bytes: int, channels: int = 1) -> bytes:
    """Return the 44 bytes of a 16 kHz wave file's header."""
    block = min(0xFFFF, channels * 2)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, 16_000, 16_000 * block, block, 16)
    size = min(0xFFFFFFFF, 36 + declared_bytes)
    return b"RIFF" + struct.pack("<I", size) + b"WAVE" + form + b"data" + struct.pack("<I", declared_bytes)
