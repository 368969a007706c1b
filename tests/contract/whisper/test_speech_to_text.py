"""What the transcriber's stage relies on, held to by the real engine and by the double of the stage's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.transcriber.ports import EngineProgress, SpeechToText
from models.whisper.transcriber import Transcriber
from schemas.errors import AudioUndecodable, InvalidOptions, JobCancelled
from schemas.identity import options_digest
from schemas.options import Lane, Task, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.transcript import AudioFacts, Transcript
from tests.sound.wav_listener import WavListener, wav_bytes
from tests.support.listening import model_directory

OPTIONS = TranscribeOptions(language="en", beam_size=1)


@pytest.fixture(scope="module", params=["double", "whisper"])
def engine(request: pytest.FixtureRequest) -> Iterator[SpeechToText]:
    """Each implementation of the protocol."""
    if request.param == "double":
        yield WavListener()
        return
    # "turbo" in its name, so that it does not translate either.
    real = Transcriber(WhisperSettings(device="cpu", decoder_processes=1), model_directory(), "small-turbo")
    real.load()
    yield real
    real.close()


class Caller:
    """Keeps what an engine told while it worked."""

    def __init__(self) -> None:
        self.facts: list[AudioFacts] = []
        self.progress: list[EngineProgress] = []

    def ask(self, engine: SpeechToText, path: Path, *, cancelled: bool = False) -> Transcript:
        """Transcribe a file."""
        return engine.transcribe(
            path,
            OPTIONS,
            on_progress=self.progress.append,
            cancelled=lambda: cancelled,
            lane=Lane.BULK,
            on_audio=self.facts.append,
        )


def test_a_transcript_says_what_it_was_made_of(engine: SpeechToText, tmp_path: Path) -> None:
    """Facts, options and provenance are those of the call; the length is told before the end as well."""
    path = tmp_path / "audio"
    path.write_bytes(wav_bytes(3, sample_rate_hertz=16_000))
    caller = Caller()
    made = caller.ask(engine, path)
    assert made.audio.audio_duration_seconds == pytest.approx(3, abs=0.01)
    assert caller.facts[-1].audio_duration_seconds == pytest.approx(3, abs=0.01)
    assert made.options == OPTIONS
    assert made.provenance == engine.provenance.model_copy(update={"options_digest": options_digest(OPTIONS)})
    assert len(engine.provenance.model_sha256) == 64


def test_progress_adds_up_to_the_transcript(engine: SpeechToText, tmp_path: Path) -> None:
    """Fractions never go back, and the texts told on the way are the text in the end."""
    path = tmp_path / "audio"
    path.write_bytes(wav_bytes(3, sample_rate_hertz=16_000))
    caller = Caller()
    made = caller.ask(engine, path)
    fractions = [told.fraction for told in caller.progress if told.fraction is not None]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert " ".join(told.text for told in caller.progress if told.text) == made.text


def test_what_is_no_audio_is_undecodable(engine: SpeechToText, tmp_path: Path) -> None:
    """A page of text has its own permanent error."""
    path = tmp_path / "audio"
    path.write_bytes(b"<html>not audio</html>" * 100)
    with pytest.raises(AudioUndecodable):
        Caller().ask(engine, path)


def test_a_cancelled_call_ends(engine: SpeechToText, tmp_path: Path) -> None:
    """Once every requester has cancelled, JobCancelled is raised instead."""
    path = tmp_path / "audio"
    path.write_bytes(wav_bytes(600))
    if isinstance(engine, WavListener):
        engine.gate.clear()
    with pytest.raises(JobCancelled):
        Caller().ask(engine, path, cancelled=True)
    if isinstance(engine, WavListener):
        engine.gate.set()


@pytest.mark.parametrize(
    "options", [TranscribeOptions(model="no-such-model"), TranscribeOptions(task=Task.TRANSLATE)]
)
def test_what_the_model_cannot_do_is_said_before_work(engine: SpeechToText, options: TranscribeOptions) -> None:
    """Options are checked without audio, so nothing is fetched for a job that cannot be done."""
    engine.check(OPTIONS)
    with pytest.raises(InvalidOptions):
        engine.check(options)
