"""``kascribe transcribe`` and ``show``: a transcript that may lack words is no plain success."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kascribe.cli import app
from schemas.options import ExportFormat
from schemas.transcripts.caveats import SENTENCES
from schemas.transcripts.transcript import QualityFlag
from tests.sound.media_cases import DIGITS, Voice, clip, mux
from tests.support.kept import spoken_transcript
from tests.support.listening import model_directory

SPOKEN = "zero one two three seven eight nine"


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("to_file", [False, True])
def test_a_person_hears_which_file_lost_sound(to_file: bool, tmp_path: Path) -> None:
    """On standard error, with what is known; the text goes where it always goes, and a whole file gets no word."""
    whole, cut, inverted = (tmp_path / name for name in ("whole.wav", "cut.wav", "inverted.wav"))
    digits = clip(DIGITS)
    mux(whole, "wav", [Voice(digits, "pcm_s16le")])
    cut.write_bytes(whole.read_bytes()[:-32_000])
    mux(inverted, "wav", [Voice(np.stack([digits, -digits]), "pcm_s16le")])
    files = [str(each) for each in (whole, cut, inverted)]
    output = ["--output-dir", str(tmp_path / "out"), "--quiet"] if to_file else []
    code, printed, told = run("transcribe", *files, "--model", str(model_directory()), *output)
    assert code == 0
    assert printed.count(SPOKEN) == (0 if to_file else 2)
    lost, replaced = told.splitlines()
    assert lost.startswith(f"{cut}: audio_incomplete: {SENTENCES[QualityFlag.AUDIO_INCOMPLETE]}")
    assert lost.endswith("(4.7 s declared, 3.7 s decoded, 0 broken packets)")
    assert replaced == f"{inverted}: downmix_replaced: {SENTENCES[QualityFlag.DOWNMIX_REPLACED]}"


@pytest.mark.parametrize("form", list(ExportFormat))
def test_a_kept_transcript_says_what_it_lacks_when_it_is_shown(form: ExportFormat, tmp_path: Path) -> None:
    """In every form; a transcript of an older release says what it can."""
    kept = tmp_path / "t.json"
    flags = (QualityFlag.LOW_CONFIDENCE, QualityFlag.AUDIO_INCOMPLETE)
    kept.write_text(spoken_transcript("one").model_copy(update={"flags": flags}).model_dump_json())
    _, _, told = run("show", str(kept), "--as", form.value)
    sentence = SENTENCES[QualityFlag.AUDIO_INCOMPLETE]
    assert told == f"{kept}: audio_incomplete: {sentence} (0 broken packets)\n"
