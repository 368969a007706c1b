"""Recordings that went wrong on their way: every word at its time, and what is missing said.

The same cases run on inputs made on the spot and, where KASCRIBE_TEST_CASES names a directory, on given ones.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from models.media.decoding.sound import SoundReader
from models.whisper.transcriber import Transcriber
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.subtitles.cues import cues
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import AudioFacts, QualityFlag, Transcript
from tests.sound import media_cases
from tests.sound.recordings import SAMPLE_RATE_HERTZ, Format, Sound, write
from tests.support.listening import missing, model_directory

DIGITS = "zero one two three seven eight nine"
COMMANDS = "hello start record stop"
KOREAN = "하나 둘 셋 넷 일곱 여덟 아홉"
CLIPS = {DIGITS: media_cases.DIGITS, COMMANDS: media_cases.COMMANDS, KOREAN: media_cases.KOREAN}
CLIP_SECONDS = 5.0
LEAD_SECONDS = 0.3
NEAR_SECONDS = 0.1
LIKE = 0.4
"""Correlation with the clean clip: lossy codecs and lost packets leave at least this, anything else far less."""
ABOUT_SOUND = {QualityFlag.AUDIO_INCOMPLETE, QualityFlag.DOWNMIX_REPLACED}
GREEDY = TranscribeOptions(language="en", beam_size=1)


@dataclass(frozen=True)
class Case:
    """``seconds``: None where it depends on what FFmpeg can read. ``heard``: what is said from which second on."""

    file: str
    make: Callable[[Path], Path]
    seconds: float | None
    heard: tuple[tuple[float, str], ...]
    flag: QualityFlag | None = None
    declared_seconds: float | None = None


THREE = ((0.0, DIGITS), (20.0, DIGITS), (40.0, DIGITS))
CASES = {
    "packet loss": Case("F1_packet_loss_10pct.webm", media_cases.packet_loss, 44.74, THREE),
    "undecodable beginning": Case(
        "F2_first_15s_undecodable.mka",
        media_cases.undecodable_beginning,
        44.8,
        THREE[1:],
        flag=QualityFlag.AUDIO_INCOMPLETE,
        declared_seconds=44.8,
    ),
    "clock restart, then a gap": Case(
        "F3_restart_then_10s_gap.ts",
        media_cases.clock_restart,
        59.8,
        ((0.0, COMMANDS), (5.0, DIGITS), (25.0, DIGITS), (55.0, DIGITS)),
    ),
    "clock jump": Case(
        "F4_ts_discontinuity_forward.ts", media_cases.clock_jump, 9.9, ((0.0, COMMANDS), (4.99, COMMANDS))
    ),
    "zeroed middle": Case(
        "F5_cluster_zeroed.webm",
        media_cases.zeroed,
        None,
        ((0.0, COMMANDS),),
        flag=QualityFlag.AUDIO_INCOMPLETE,
        declared_seconds=24.65,
    ),
    "chained": Case(
        "F5c_chained_vorbis_16k_mono_then_44k_stereo.ogg",
        media_cases.chained,
        9.65,
        ((0.0, DIGITS), (4.74, COMMANDS)),
    ),
    "words without length": Case(
        "F6_zero_length_segment.opus",
        media_cases.commands_and_korean,
        40.65,
        (*((4.907 * number, COMMANDS) for number in range(6)), (29.44, KOREAN), (35.04, KOREAN)),
    ),
    "phase inverted": Case(
        "F7_phase_inverted_stereo.opus",
        media_cases.phase_inverted,
        4.74,
        ((0.0, DIGITS),),
        flag=QualityFlag.DOWNMIX_REPLACED,
    ),
    "late clock": Case("O_duration_claim.mka", media_cases.late_clock, 44.74, THREE),
    "silent first track": Case("O_silent_first_track.mp4", media_cases.silent_first_track, 4.74, ((0.0, DIGITS),)),
}


@pytest.fixture(scope="module")
def transcriber() -> Iterator[Transcriber]:
    """One for all cases."""
    each = Transcriber(WhisperSettings(device="cpu", decoder_processes=1), model_directory(), "test-model")
    each.warm_up()
    yield each
    each.close()


@pytest.fixture(params=["made", "given"])
def recording(request: pytest.FixtureRequest, case: Case, tmp_path: Path) -> Path:
    """Return a case's input: made here, or one from outside."""
    if request.param == "made":
        return case.make(tmp_path / case.file)
    directory = os.environ.get("KASCRIBE_TEST_CASES")
    if not directory:
        pytest.skip("KASCRIBE_TEST_CASES names no folder of recordings")
    path = Path(directory) / "media" / case.file
    if not path.is_file():
        missing(f"{path} does not exist")
    return path


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_word_is_at_its_time_and_what_is_lost_is_said(
    case: Case, recording: Path, transcriber: Transcriber, tmp_path: Path
) -> None:
    """Length, text and flags are right, and known in good time: the first facts do not promise hours."""
    facts: list[AudioFacts] = []
    transcript = transcriber.transcribe(recording, GREEDY, on_audio=facts.append)
    audio = transcript.audio
    assert audio.audio_duration_seconds == pytest.approx(case.seconds or audio.decoded_duration_seconds, abs=0.3)
    assert set(transcript.flags) & ABOUT_SOUND == {case.flag} - {None}
    assert all(segment.end > segment.start for segment in transcript.segments)
    assert all(cue.end_ms > cue.start_ms for cue in cues(transcript.segments, SubtitleSettings()))
    if case.declared_seconds is not None:
        assert audio.declared_duration_seconds == pytest.approx(case.declared_seconds, abs=0.1)
        assert audio.decoded_duration_seconds is not None
        assert audio.decoded_duration_seconds < case.declared_seconds - 10
    assert facts[0].audio_duration_seconds <= max(case.seconds or 0, case.declared_seconds or 0) + 0.3
    sound = decoded(recording, transcript)
    for at, text in case.heard:
        assert place_of(media_cases.clip(CLIPS[text]), sound, at) == pytest.approx(at, abs=NEAR_SECONDS)
        said = said_at(transcriber, tmp_path, sound, at, language="ko" if text == KOREAN else "en")
        assert sum(word in said for word in text.split()) >= len(text.split()) - 1, (at, said)


def decoded(path: Path, transcript: Transcript) -> Sound:
    """Return the samples that were transcribed."""
    with SoundReader(path, split=False, track=transcript.audio.audio_track) as sound:
        samples = np.concatenate([block[0] for block in sound.blocks(SAMPLE_RATE_HERTZ)])
    return (samples / 32_768).astype(np.float32)


def place_of(clip: Sound, sound: Sound, at: float) -> float:
    """Where around a time a clip fits best, upside down or not; infinity where it resembles nothing there."""
    window_seconds = 2.0
    first = round(at * SAMPLE_RATE_HERTZ)
    room = round(window_seconds * SAMPLE_RATE_HERTZ)
    piece = np.pad(sound, (room // 2, len(clip) + room))[first : first + len(clip) + room]
    size = 2 * len(piece)
    fits = np.abs(np.fft.irfft(np.fft.rfft(piece, size) * np.conj(np.fft.rfft(clip, size)))[:room])
    best = int(fits.argmax())
    there = piece[best : best + len(clip)]
    likeness = fits[best] / max(1e-9, float(np.sqrt((there**2).sum() * (clip**2).sum())))
    return at - window_seconds / 2 + best / SAMPLE_RATE_HERTZ if likeness > LIKE else float("inf")


def said_at(transcriber: Transcriber, directory: Path, sound: Sound, at: float, *, language: str) -> list[str]:
    """Return the words of the five seconds from a time on, and of a moment before."""
    first = max(0, round((at - LEAD_SECONDS) * SAMPLE_RATE_HERTZ))
    piece = sound[first : round((at + CLIP_SECONDS) * SAMPLE_RATE_HERTZ)]
    path = write(directory / f"at-{at}.wav", piece.astype(np.float32), Format("wav", "pcm_s16le", "wav"))
    return transcriber.transcribe(path, GREEDY.model_copy(update={"language": language})).text.split()
