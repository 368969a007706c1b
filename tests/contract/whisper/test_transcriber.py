"""A local file in, a transcript out: everything that callers rely on, on a small real model."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.whisper.progress import Progress
from models.whisper.transcriber import Transcriber
from schemas.errors import AudioEmpty, ConfigurationError, EngineFailed, InvalidOptions, JobCancelled
from schemas.identity import options_digest
from schemas.options import Channels, Lane, Task, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import AudioFacts, Transcript, TranscriptStatus
from tests.contract.media.test_media_formats import write_channels
from tests.sound.recordings import Format, Sound, read, write
from tests.support.listening import model_directory, speech

CLIP = "en-digits.ogg"
GREEDY = TranscribeOptions(language="en", beam_size=1)
WAV = Format("wav", "pcm_s16le", "wav")


@pytest.fixture(scope="module")
def transcriber() -> Iterator[Transcriber]:
    """One for all tests, as one serves a whole process."""
    each = Transcriber(WhisperSettings(device="cpu", decoder_processes=1), model_directory(), "test-model")
    each.warm_up()
    yield each
    each.close()


@pytest.fixture(scope="module")
def heard(transcriber: Transcriber) -> Transcript:
    """Return the clip's transcript when nothing else is in flight."""
    return transcriber.transcribe(speech(CLIP), GREEDY)


def recording(directory: Path, *pieces: Sound) -> Path:
    """Write a wave file of the pieces end to end."""
    return write(directory / "recording.wav", np.concatenate(pieces), WAV)


def test_a_transcript_says_what_made_it(transcriber: Transcriber, heard: Transcript) -> None:
    """Provenance, timing, usage and facts about the audio are complete."""
    assert heard.status is TranscriptStatus.COMPLETED
    assert heard.text == " ".join(segment.text for segment in heard.segments)
    assert heard.language == "en"
    assert heard.language_probability is None
    assert heard.provenance.model == "test-model"
    assert len(heard.provenance.model_sha256) == 64
    assert heard.provenance.options_digest == options_digest(GREEDY)
    assert heard.provenance.model_copy(update={"options_digest": ""}) == transcriber.provenance
    assert heard.audio.audio_duration_seconds == pytest.approx(4.74, abs=0.1)
    assert 1 < heard.audio.speech_duration_seconds <= heard.audio.audio_duration_seconds
    assert heard.usage.windows == 1
    assert heard.usage.decoded_tokens > 0
    assert heard.timing.total_seconds is not None
    assert heard.timing.total_seconds >= heard.usage.inference_seconds > 0


def test_segments_lie_in_order_within_the_audio(heard: Transcript) -> None:
    """Times are seconds of the original audio."""
    assert heard.segments
    assert [segment.id for segment in heard.segments] == list(range(len(heard.segments)))
    for segment in heard.segments:
        assert 0 <= segment.start < segment.end <= heard.audio.audio_duration_seconds + 0.01


def test_silence_gives_no_words(transcriber: Transcriber) -> None:
    """Never invented ones: the voice detector leaves nothing for the model to dream about."""
    transcript = transcriber.transcribe(speech("silence.flac"), TranscribeOptions())
    assert (transcript.status, transcript.text, transcript.segments) == (TranscriptStatus.NO_SPEECH, "", ())
    assert transcript.language is None
    assert transcript.audio.speech_duration_seconds == 0


def test_times_count_what_was_left_out(transcriber: Transcriber, heard: Transcript, tmp_path: Path) -> None:
    """Ten seconds of silence before the speech move every segment and every word by ten seconds."""
    sound = read(speech(CLIP))
    moved = recording(tmp_path, np.zeros(160_000, np.float32), sound)
    late = transcriber.transcribe(moved, GREEDY.model_copy(update={"word_timestamps": True}))
    assert late.segments[0].start == pytest.approx(heard.segments[0].start + 10, abs=1.0)
    for segment in late.segments:
        assert segment.words
        assert segment.start == pytest.approx(segment.words[0].start, abs=0.01)
        assert segment.end == pytest.approx(segment.words[-1].end, abs=0.01)
    words = [word for segment in late.segments for word in segment.words or ()]
    assert all(10 <= word.start <= word.end <= 14.8 for word in words)
    assert all(0 <= word.probability <= 1 for word in words)


def test_the_same_text_whatever_else_is_in_flight(transcriber: Transcriber, heard: Transcript) -> None:
    """Sixteen callers at once each get what a lone caller gets."""
    lanes = [Lane.BULK, Lane.INTERACTIVE] * 8
    with ThreadPoolExecutor(16) as callers:
        all_heard = list(callers.map(lambda lane: transcriber.transcribe(speech(CLIP), GREEDY, lane=lane), lanes))
    assert {each.text for each in all_heard} == {heard.text}
    assert {each.segments for each in all_heard} == {heard.segments}


def test_progress_tells_the_text_once_and_in_order(transcriber: Transcriber, tmp_path: Path) -> None:
    """What progress events carry, put together, is the text; the fraction only grows and ends at one."""
    sound = read(speech(CLIP))
    told: list[Progress] = []
    facts: list[AudioFacts] = []
    transcript = transcriber.transcribe(
        recording(tmp_path, *[sound] * 13), GREEDY, on_progress=told.append, on_audio=facts.append
    )
    assert transcript.usage.windows >= 2
    assert " ".join(progress.text for progress in told if progress.text) == transcript.text
    fractions = [progress.fraction for progress in told if progress.fraction is not None]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert facts[0].audio_duration_seconds == pytest.approx(len(sound) * 13 / 16_000, abs=0.1)
    assert facts[-1] == transcript.audio


def test_split_channels_are_transcribed_apart(transcriber: Transcriber, tmp_path: Path) -> None:
    """Two people on two channels: each segment names its channel, with the words of that channel alone."""
    sound = read(speech(CLIP))
    left, right = np.pad(sound, (0, len(sound))), np.pad(sound, (len(sound), 0))
    write_channels(tmp_path / "call.wav", np.stack([left, right]))
    write_channels(tmp_path / "left.wav", left[np.newaxis])
    alone = transcriber.transcribe(tmp_path / "left.wav", GREEDY)
    options = GREEDY.model_copy(update={"channels": Channels.SPLIT})
    split = transcriber.transcribe(tmp_path / "call.wav", options)
    assert {segment.channel for segment in split.segments} == {0, 1}
    starts = [segment.start for segment in split.segments]
    assert starts == sorted(starts)
    assert " ".join(segment.text for segment in split.segments if segment.channel == 0) == alone.text
    assert split.audio.channel_count == 2


def test_without_voice_detection_all_of_the_audio_is_heard(transcriber: Transcriber, tmp_path: Path) -> None:
    """Two windows for thirty-three seconds."""
    sound = read(speech(CLIP))
    transcript = transcriber.transcribe(
        recording(tmp_path, *[sound] * 7), GREEDY.model_copy(update={"vad": False})
    )
    assert transcript.usage.windows == 2
    assert transcript.audio.speech_duration_seconds == transcript.audio.audio_duration_seconds


def test_a_cancelled_transcription_ends_at_once(transcriber: Transcriber, tmp_path: Path) -> None:
    """Nothing of it is left in the engine, and the next record is served."""
    cancelled = threading.Event()
    facts: list[AudioFacts] = []

    def cancel_once_decoded(told: AudioFacts) -> None:
        facts.append(told)
        if told.speech_duration_seconds:
            cancelled.set()

    path = recording(tmp_path, *[read(speech(CLIP))] * 60)
    with pytest.raises(JobCancelled):
        transcriber.transcribe(path, GREEDY, on_audio=cancel_once_decoded, cancelled=cancelled.is_set)
    assert len(facts) == 2
    assert transcriber.queued_windows() == 0
    assert transcriber.transcribe(speech(CLIP), GREEDY).text


def test_bad_media_raises_its_reason(transcriber: Transcriber, tmp_path: Path) -> None:
    """The decoder's verdict reaches the caller as it is."""
    path = tmp_path / "empty.wav"
    path.touch()
    with pytest.raises(AudioEmpty):
        transcriber.transcribe(path, GREEDY)


def test_another_model_is_not_served(transcriber: Transcriber) -> None:
    """Asking for a model that this process does not hold is the caller's mistake."""
    with pytest.raises(InvalidOptions, match="large-v3"):
        transcriber.check(TranscribeOptions(model="large-v3"))
    transcriber.check(TranscribeOptions(model="test-model"))


def test_turbo_cannot_translate() -> None:
    """It would answer in the language spoken, silently; the caller is told instead."""
    turbo = Transcriber(WhisperSettings(device="cpu"), model_directory(), "large-v3-turbo")
    with pytest.raises(InvalidOptions, match="cannot translate"):
        turbo.check(TranscribeOptions(task=Task.TRANSLATE))
    turbo.close()


def test_a_directory_without_a_model_is_a_configuration_error(tmp_path: Path) -> None:
    """The message names the file that is missing."""
    with pytest.raises(ConfigurationError, match=r"model\.bin"):
        Transcriber(WhisperSettings(device="cpu"), tmp_path, "nothing").load()


def test_closing_cancels_what_runs(tmp_path: Path) -> None:
    """Every waiting caller gets an error; none hangs."""
    each = Transcriber(WhisperSettings(device="cpu", decoder_processes=1), model_directory(), "test-model")
    each.load()
    started = threading.Event()
    path = recording(tmp_path, *[read(speech(CLIP))] * 60)

    def transcribe() -> Transcript:
        return each.transcribe(path, GREEDY, on_audio=lambda _: started.set())

    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(transcribe)
        assert started.wait(60)
        each.close()
        assert isinstance(running.exception(60), EngineFailed | JobCancelled)
