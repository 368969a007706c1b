"""What ``kascribe up --forget`` removes."""

from pathlib import Path

from kascribe.embedded.stack import ARCHIVE, OBJECTS, forget_kept


def test_forgetting_removes_objects_and_the_archive_and_nothing_else(tmp_path: Path) -> None:
    """Logs and the session's file stay, and it may be repeated where nothing is kept."""
    for name in (OBJECTS, ARCHIVE, "logs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x")
    (tmp_path / "embedded.json").touch()
    for _ in range(2):
        forget_kept(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["embedded.json", "logs"]
