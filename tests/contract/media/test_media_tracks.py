"""Which of a file's audio tracks is transcribed, which channels are kept, and what the transcript says."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.media.messages import ContainerOpened, DecodeFinished, WindowReady
from models.whisper.transcriber import Transcriber
from schemas.errors import AudioUndecodable, InvalidOptions
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import TranscriptStatus
from tests.sound import media_cases
from tests.sound.decoding import Decoders
from tests.sound.media_cases import Voice, clip, mux, silence
from tests.support.listening import model_directory

GREEDY = TranscribeOptions(language="en", beam_size=1)
DIGITS = "zero one two three seven eight nine"
COMMANDS = "hello start record stop"


@pytest.fixture(scope="module")
def transcriber() -> Iterator[Transcriber]:
    """One for all tests."""
    each = Transcriber(WhisperSettings(device="cpu", decoder_processes=1), model_directory(), "test-model")
    each.warm_up()
    yield each
    each.close()


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """One child for all tests."""
    each = Decoders(WhisperSettings(decoder_processes=1))
    yield each
    each.pool.close()


def two_tracks(path: Path) -> Path:
    """Return the commands, then the digits, each with a language."""
    voices = [Voice(clip(media_cases.COMMANDS), "aac", language="eng"), Voice(clip(media_cases.DIGITS), "aac")]
    return mux(path, "matroska", voices)


def asking_for(track: int) -> TranscribeOptions:
    """Return the options that name a track."""
    return GREEDY.model_copy(update={"audio_track": track})


def test_the_track_that_was_asked_for_is_heard(transcriber: Transcriber, tmp_path: Path) -> None:
    """Counted from 0; without asking it is the main one, which has speech."""
    path = two_tracks(tmp_path / "two.mka")
    assert transcriber.transcribe(path, GREEDY).text == COMMANDS
    assert transcriber.transcribe(path, asking_for(0)).text == COMMANDS
    second = transcriber.transcribe(path, asking_for(1))
    assert (second.text, second.audio.audio_track) == (DIGITS, 1)


def test_the_transcript_lists_all_tracks(transcriber: Transcriber, tmp_path: Path) -> None:
    """With what their file says of them, so that a caller can ask for another."""
    audio = transcriber.transcribe(two_tracks(tmp_path / "two.mka"), GREEDY).audio
    assert [(track.index, track.codec, track.language) for track in audio.tracks] == [
        (0, "aac", "eng"),
        (1, "aac", None),
    ]
    assert [(track.channel_count, track.sample_rate_hertz) for track in audio.tracks] == [(1, 16_000)] * 2
    assert audio.audio_track == 0


def test_a_track_that_is_not_there_is_refused(transcriber: Transcriber, tmp_path: Path) -> None:
    """At once, with the number of those that are."""
    with pytest.raises(InvalidOptions, match=r"audio_track 2 is not in the file, which has 2"):
        transcriber.transcribe(two_tracks(tmp_path / "two.mka"), asking_for(2))


@pytest.mark.parametrize("vad", [True, False])
def test_where_the_main_track_is_silent_the_one_with_speech_is_heard(
    vad: bool, transcriber: Transcriber, tmp_path: Path
) -> None:
    """A recorder keeps the microphone that was off as well; asked for, that one is heard."""
    path = media_cases.silent_first_track(tmp_path / "silent.mp4")
    heard = transcriber.transcribe(path, GREEDY.model_copy(update={"vad": vad}))
    assert (heard.text, heard.audio.audio_track) == (DIGITS, 1)
    assert [track.language for track in heard.audio.tracks] == ["kor", "eng"]
    assert transcriber.transcribe(path, asking_for(0)).status is TranscriptStatus.NO_SPEECH


def test_where_no_track_has_speech_the_main_one_stands(transcriber: Transcriber, tmp_path: Path) -> None:
    """And there is none in the transcript either."""
    path = mux(tmp_path / "none.mp4", "mp4", [Voice(silence(3), "aac"), Voice(silence(2), "aac")])
    none = transcriber.transcribe(path, GREEDY)
    assert none.status is TranscriptStatus.NO_SPEECH
    assert none.audio.audio_track == 0
    assert none.audio.audio_duration_seconds == pytest.approx(3, abs=0.1)


def test_a_main_track_that_cannot_be_decoded_gives_way(transcriber: Transcriber, tmp_path: Path) -> None:
    """Its packets are noise; asked for, it is refused."""
    voices = [Voice(clip(media_cases.COMMANDS), "aac"), Voice(clip(media_cases.DIGITS), "aac")]
    path = mux(tmp_path / "broken.mka", "matroska", voices, change=media_cases.spoiled)
    heard = transcriber.transcribe(path, GREEDY)
    assert (heard.text, heard.audio.audio_track) == (DIGITS, 1)
    with pytest.raises(AudioUndecodable):
        transcriber.transcribe(path, asking_for(0))


def test_a_long_silent_track_is_searched_within_the_limit(decoders: Decoders, tmp_path: Path) -> None:
    """Speech that begins late in the second track is found all the same."""
    late = np.concatenate([silence(45), clip(media_cases.DIGITS)])
    path = mux(tmp_path / "late.mka", "matroska", [Voice(silence(70), "flac"), Voice(late, "flac")])
    events = decoders.events(path)
    opened = next(event for event in events if isinstance(event, ContainerOpened))
    assert opened.track == 1
    windows = [event for event in events if isinstance(event, WindowReady)]
    assert [window.window().start_seconds for window in windows] == [pytest.approx(45, abs=0.5)]


def chain(path: Path, *links: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Path:
    """Write an Ogg file of several links of one or two channels each."""
    parts = [mux(path.with_suffix(f".{n}"), "ogg", [Voice(link, "flac")]) for n, link in enumerate(links)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("vad", [True, False])
def test_channels_that_appear_midway_are_heard_by_themselves(
    vad: bool, decoders: Decoders, tmp_path: Path
) -> None:
    """A second caller that joins a call has a channel from then on, and times that count from the beginning."""
    commands = clip(media_cases.COMMANDS)
    alone = np.concatenate([clip(media_cases.DIGITS), silence(30)])[: 30 * 16_000]
    path = chain(tmp_path / "call.ogg", alone, np.stack([np.zeros_like(commands), commands]))
    windows = [
        event.window() for event in decoders.events(path, split=True, vad=vad) if isinstance(event, WindowReady)
    ]
    (joined,) = (window for window in windows if window.channel == 1)
    assert joined.start_seconds == pytest.approx(30, abs=0.3) if vad else joined.start_seconds == 20
    assert joined.end_seconds == pytest.approx(34.9, abs=0.3)
    assert {window.channel for window in windows} == {0, 1}


def test_channels_that_end_midway_are_silent_from_then_on(decoders: Decoders, tmp_path: Path) -> None:
    """What one channel says is not said again on another."""
    digits = clip(media_cases.DIGITS)
    path = chain(tmp_path / "call.ogg", np.stack([np.zeros_like(digits), digits]), clip(media_cases.COMMANDS))
    events = decoders.events(path, split=True)
    windows = [event.window() for event in events if isinstance(event, WindowReady)]
    begins = {window.channel: window.start_seconds for window in windows}
    ends = {window.channel: window.end_seconds for window in windows}
    assert sorted(window.channel or 0 for window in windows) == [0, 1]
    assert begins[0] == pytest.approx(4.74, abs=0.4)
    assert ends[1] == pytest.approx(4.74, abs=0.4)
    finished = events[-1]
    assert isinstance(finished, DecodeFinished)
    assert finished.audio_seconds == pytest.approx(9.65, abs=0.05)
