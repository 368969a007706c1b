"""What a caller is told on the way: each thing once, in the order of the audio, never backwards."""

from models.media.messages import ContainerOpened, DecodeFinished
from models.media.speech.windows import SAMPLE_RATE_HERTZ, Span, Window
from models.whisper.decode_unit import DecodeUnit, split
from models.whisper.gate import Decoded
from models.whisper.progress import Progress, ProgressReporter
from models.whisper.rows import EncoderInput
from models.whisper.state import TranscriptionState
from models.whisper.text.segments import WindowResult
from schemas.transcripts.transcript import AudioFacts

FINISHED = DecodeFinished(audio_seconds=20, speech_seconds=12, decode_seconds=0, vad_seconds=0, features_seconds=0)


def unit(start: float, end: float) -> DecodeUnit:
    """One window, not yet heard, in seconds."""
    spans = (Span(int(start * SAMPLE_RATE_HERTZ), int(end * SAMPLE_RATE_HERTZ)),)
    window = Window(channel=None, spans=spans, frames=int((end - start) * 100), offset_bytes=0)
    return DecodeUnit(window, EncoderInput(lambda: None, end - start))  # type: ignore[arg-type,return-value]  # never read


def hear(unit: DecodeUnit, text: str | None) -> None:
    """Set the result of a window; None for silence."""
    said = Decoded((1,), text, avg_logprob=-0.2, no_speech_prob=0, penalty=1, truncated=False) if text else None
    unit.result = WindowResult(unit.window, said)


class Caller:
    """Keeps what it is told of one record."""

    def __init__(self, *units: DecodeUnit, declared_seconds: float | None = 20.0) -> None:
        self.told: list[Progress] = []
        self.facts: list[AudioFacts] = []
        self.reporter = ProgressReporter(self.told.append, self.facts.append)
        self.state = TranscriptionState(
            opened=ContainerOpened(
                container="wav",
                codec="pcm",
                channel_count=1,
                sample_rate_hertz=8_000,
                declared_seconds=declared_seconds,
            ),
            units=list(units),
        )

    def update(self) -> list[tuple[float | None, str]]:
        """Return what is reported now."""
        self.told.clear()
        self.reporter.update(self.state)
        return [(each.fraction, each.text) for each in self.told]


def test_facts_are_told_when_the_container_is_read_and_when_all_is_decoded() -> None:
    """First what it claims, then what was found; each once."""
    caller = Caller()
    caller.update()
    caller.update()
    assert [facts.audio_duration_seconds for facts in caller.facts] == [20.0]
    caller.state.finished = FINISHED.model_copy(update={"audio_seconds": 19.0})
    caller.update()
    caller.update()
    assert [(facts.audio_duration_seconds, facts.speech_duration_seconds) for facts in caller.facts] == [
        (20.0, 0.0),
        (19.0, 12.0),
    ]


def test_a_container_that_claims_nothing_has_no_length_yet() -> None:
    """Zero says so, and there is no fraction of it."""
    one = unit(0, 5)
    caller = Caller(one, declared_seconds=None)
    hear(one, " one")
    assert caller.update() == [(None, "one")]
    assert caller.facts[0].audio_duration_seconds == 0.0


def test_texts_come_in_the_order_of_the_audio() -> None:
    """A window that is answered early waits for those before it, and is then told with them."""
    units = [unit(0, 5), unit(5, 10), unit(10, 15)]
    caller = Caller(*units)
    hear(units[1], " two")
    assert caller.update() == []
    hear(units[0], " one")
    assert caller.update() == [(0.5, "one two")]
    assert caller.update() == []
    hear(units[2], None)
    assert caller.update() == [(0.75, "")]


def test_the_fraction_is_of_the_audio_and_one_only_in_the_end() -> None:
    """Silence after the last word counts once all is decoded; more audio than declared is no more than all."""
    first, second = unit(0, 10), unit(15, 30)
    caller = Caller(first)
    hear(first, " one")
    assert caller.update() == [(0.5, "one")]
    caller.state.units.append(second)
    hear(second, " two")
    assert caller.update() == [(1.0, "two")]
    third = unit(30, 32)
    caller.state.units.append(third)
    caller.state.finished = FINISHED.model_copy(update={"audio_seconds": 64.0})
    hear(third, " three")
    assert caller.update() == [(1.0, "three")]


def test_all_is_told_when_the_last_window_is_heard_and_all_is_decoded() -> None:
    """Whatever silence follows."""
    first, second = unit(0, 2), unit(2, 4)
    caller = Caller(first, second)
    caller.state.finished = FINISHED
    hear(first, " one")
    assert caller.update() == [(0.1, "one")]
    hear(second, " two")
    assert caller.update() == [(1.0, "two")]


def test_the_fraction_never_goes_back() -> None:
    """A window of one channel may lie before one of the other that was told."""
    late, early = unit(10, 16), unit(0, 4)
    caller = Caller(late, early)
    hear(late, " late")
    assert caller.update() == [(0.8, "late")]
    hear(early, " early")
    assert caller.update() == [(0.8, "early")]


def test_the_pieces_of_a_window_are_told_together() -> None:
    """Once all of them are heard."""
    whole = unit(0, 20)
    whole.pieces = split(whole)
    caller = Caller(whole)
    hear(whole.pieces[0], " one")
    assert caller.update() == []
    hear(whole.pieces[1], " two")
    assert caller.update() == [(1.0, "one two")]
