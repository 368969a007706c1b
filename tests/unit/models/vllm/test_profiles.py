"""Profile files: built-in ones, users' own, and errors that name the file."""

from pathlib import Path

import pytest

from models.vllm.enrichment.profiles import load_profiles
from schemas.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'x'", "version"),
        ("not toml", "cannot be read"),
        ("name='X Y'\nversion='1'\ntask='t'\nschema='{}'", "name"),
        ("name='x'\nversion='1'\ntask='t'\nschema='{'", "cannot be read"),
        ("name='x'\nversion='1'\ntask='t'\nschema='{\"type\": \"strin\"}'", "schema"),
        ("name='x'\nversion='1'\ntask='t'\nschema='{\"type\": \"array\"}'", "object"),
        ("name='x'\nversion='1'\ntask='t'\nschema='{\"type\": \"object\"}'\ncolour='red'", "colour"),
        ("name='x'\nversion='1'\ntask='t'", "a schema, or rewrite is redaction or translation"),
        ("name='x'\nversion='1'\ntask='t'\nrewrite='rhyme'", "rewrite"),
        ("name='x'\nversion='1'\ntask='t'\nrewrite='translation'\nschema='{\"type\": \"object\"}'", "or rewrite"),
        ("name='instruction'\nversion='1'\ntask='t'\nrewrite='translation'", "free instructions"),
    ],
)
def test_the_error_for_an_unusable_profile_names_its_file(text: str, words: str, tmp_path: Path) -> None:
    """It is raised at start, not with the first transcript."""
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words) as raised:
        load_profiles(tmp_path)
    assert "mine.toml" in str(raised.value)


def test_a_users_profile_overrides_a_built_in_one_by_name(tmp_path: Path) -> None:
    """The other built-in profiles remain."""
    text = "name='title'\nversion='9'\ntask='Shout.'\nschema='{\"type\": \"object\"}'"
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    profiles = load_profiles(tmp_path)
    assert profiles["title"].version == "9"
    assert "summary" in profiles
