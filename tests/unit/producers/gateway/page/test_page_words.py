"""The page's words: complete in every language, and none that no module uses."""

import re
from pathlib import Path
from typing import Final

from models.vllm.enrichment.profiles import BUILT_IN_PROFILES
from producers.gateway.page import files
from schemas.errors import Reason
from schemas.events import Phase
from schemas.transcripts.languages import LANGUAGES

SITE: Final = Path(files.__file__).parent / "site"
CODE: Final = "\n".join(
    line
    for path in sorted(SITE.rglob("*.js"))
    if path.parent.name not in ("library", "words")
    for line in path.read_text(encoding="utf-8").splitlines()
    if not line.lstrip().startswith(("//", "/**", "*"))
)
"""Every module's, without comments."""
ENTRY: Final = re.compile(r'^  "([a-z_]+(?:\.[a-z_]+)+)": ', re.MULTILINE)
MADE_OF_PARTS: Final = (
    "answer_flag.",
    "doubt.",
    "failure.",
    "field.",
    "flag.",
    "flagged.",
    "format.",
    "home.said_",
    "kind.",
    "phase.",
    "profile.",
    "recorder.",
    "remedy.",
    "segment_flag.",
    "sentiment.",
    "shell.scheme_",
)
"""Keys with a part that is known at run time only; the tests below see to these."""


def words(language: str) -> dict[str, str]:
    """Return the entries of a language, as they are written."""
    lines = (SITE / "words" / f"{language}.js").read_text(encoding="utf-8").splitlines()
    found: dict[str, str] = {}
    for line in lines:
        if entry := ENTRY.match(line):
            assert entry[1] not in found, f"{language}: {entry[1]} stands there twice"
            found[entry[1]] = line[entry.end() :].rstrip(",")
    return found


def names(text: str) -> set[str]:
    """Return the {names} that a text has room for."""
    return set(re.findall(r"\{(\w+)\}", text))


def test_both_languages_have_the_same_words() -> None:
    """Each key of one is one of the other, in the same order, with room for the same values."""
    english, korean = words("en"), words("ko")
    assert list(english) == list(korean)
    assert {key: names(text) for key, text in english.items()} == {
        key: names(text) for key, text in korean.items()
    }


def test_korean_is_written_in_korean() -> None:
    """No sentence was left in English."""
    left = {key: text for key, text in words("ko").items() if not re.search("[가-힣]", text)}
    assert set(left) <= {"shell.api"}


def test_every_word_that_a_module_asks_for_is_there() -> None:
    """A key that is written out has an entry."""
    asked = set(re.findall(r'\bt\(\s*"([a-z_.]+)"', CODE))
    assert asked <= words("en").keys()
    assert len(asked) > 20


def test_no_word_is_left_over() -> None:
    """Each entry is asked for, or has a beginning that modules put together with a name."""
    left = {key for key in words("en") if f'"{key}"' not in CODE and not key.startswith(MADE_OF_PARTS)}
    assert left == set()


def test_every_phase_reason_and_profile_has_a_name() -> None:
    """Those of the topics and of the built-in profiles; a later one is noticed here."""
    english = words("en")
    assert {f"phase.{phase}" for phase in Phase} <= english.keys()
    # Reasons that no job of this page can have: a broken event, a key that was used twice over Kafka, a webhook.
    shown = {reason for reason in Reason if not reason.startswith("webhook_")}
    shown -= {Reason.INVALID_EVENT, Reason.KEY_REUSED}
    assert {f"failure.{reason}" for reason in shown} <= english.keys()
    remedies = {key.partition(".")[2] for key in english if key.startswith("remedy.")}
    assert {f"failure.{reason}" for reason in remedies} <= english.keys()
    profiles = {path.stem for path in BUILT_IN_PROFILES.glob("*.toml")}
    assert {f"profile.{name}" for name in profiles} <= english.keys()
    offered = re.search(r"PROFILES = \[(.*?)\]", (SITE / "home" / "options.js").read_text(), re.DOTALL)
    assert offered is not None
    assert set(re.findall(r'"(\w+)"', offered[1])) == profiles


def test_the_page_offers_the_languages_that_the_model_knows() -> None:
    """All of Whisper's, by code."""
    listed = re.search(r"CODES = `(.*?)`", (SITE / "languages.js").read_text(), re.DOTALL)
    assert listed is not None
    assert tuple(listed[1].split()) == LANGUAGES
