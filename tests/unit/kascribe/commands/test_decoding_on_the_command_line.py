"""The options of decoding as arguments of commands."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from kascribe import cli
from kascribe.commands.options.decoding_options import decoding_options
from kascribe.commands.options.job_options import transcribe_options
from schemas.errors import ConfigurationError
from schemas.options import DECODING_DEFAULTS, TranscribeOptions, VadParameters
from tests.support.decoding_options import DECODING_MEANT, DECODING_WRITTEN


def given(*arguments: str) -> dict[str, str]:
    """Return what a command receives when it is called with these arguments."""
    received: list[dict[str, str]] = []

    @decoding_options
    def command(*, decoding: dict[str, str]) -> None:
        received.append(decoding)

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return received[0]


def test_every_option_of_decoding_is_an_argument() -> None:
    """With hyphens, and as text that the options read."""
    arguments = {**DECODING_WRITTEN, "vad_parameters": "threshold=0.6,speech_pad_ms=200"}
    assert set(arguments) == {"vad", *DECODING_DEFAULTS}
    received = given(*(part for name, text in arguments.items() for part in (f"--{name.replace('_', '-')}", text)))
    assert received == arguments
    assert transcribe_options(**received) == TranscribeOptions(
        vad_parameters=VadParameters(threshold=0.6, speech_pad_ms=200), **DECODING_MEANT
    )
    assert given() == {}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"temperature": "0.4"}, "--temperature: Value error, only 0 is possible"),
        ({"vad_parameters": "treshold=0.6"}, "--vad-parameters: Value error, there is no 'treshold'"),
        ({"beam_size": 1, "patience": "2"}, "patience: beam_size is 1"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_argument(wrong: dict[str, Any], told: str) -> None:
    """One sentence, and exit code 2."""
    with pytest.raises(ConfigurationError, match=told):
        transcribe_options(**wrong)


@pytest.mark.parametrize("command", ["transcribe", "submit"])
def test_an_argument_of_faster_whisper_that_is_refused_is_told_why(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same reason as in events, forms and metadata."""
    monkeypatch.setattr("sys.argv", ["kascribe", command, __file__, "--best-of", "3"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "No such option: --best-of; nothing is sampled: see temperature" in capsys.readouterr().err
