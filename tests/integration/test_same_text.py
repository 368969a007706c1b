"""One engine behind two entry points: the command line and the consumer give the same text."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from models.selftest import clips
from tests.integration.pipeline import Pipeline
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

ALL_CLIPS_TIMEOUT_SECONDS: Final = 600


def recordings() -> list[Path]:
    """Find every clip of the speech corpus that has sound, and the ones that ship with the repository."""
    shipped = [clip.path for clip in clips()]
    corpus = os.environ.get("KASCRIBE_TEST_SPEECH")
    if not corpus:
        return shipped
    rows = (Path(corpus) / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return shipped + [Path(corpus) / json.loads(row)["file"] for row in rows]


def by_command_line(paths: list[Path], directory: Path, environment: Mapping[str, str]) -> dict[Path, str]:
    """Transcribe with ``kascribe transcribe``; return each file's text. Links give every file its own name."""
    for index, path in enumerate(paths):
        (directory / f"{index}{path.suffix}").symlink_to(path)
    names = [str(directory / f"{index}{path.suffix}") for index, path in enumerate(paths)]
    subprocess.run(
        [sys.executable, "-m", "kascribe", "transcribe", *names, "--output", str(directory / "out")],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        timeout=ALL_CLIPS_TIMEOUT_SECONDS,
    )
    return {
        path: (directory / "out" / f"{index}{path.suffix}.txt").read_text(encoding="utf-8")
        for index, path in enumerate(paths)
    }


@pytest.mark.timeout(2 * ALL_CLIPS_TIMEOUT_SECONDS)
def test_the_command_line_and_the_consumer_give_the_same_text(stack: PrivateStack, tmp_path: Path) -> None:
    """The same file and options give the same text, whatever else the consumer has in flight."""
    paths = recordings()
    with Pipeline(stack, tmp_path, {}, partitions=4) as pipeline:
        uris = {path: pipeline.put(path.read_bytes(), name=path.name) for path in paths}
        for uri in uris.values():
            pipeline.refer(uri)
        eventually(
            lambda: len({event.source.uri for event in pipeline.transcripts()}) == len(paths),
            timeout_seconds=ALL_CLIPS_TIMEOUT_SECONDS,
            interval_seconds=0.5,
            what=f"{len(paths)} transcripts ({pipeline.role.log})",
        )
        consumed = {event.source.uri: event.text for event in pipeline.transcripts()}
        environment = pipeline.environment
    (tmp_path / "links").mkdir()
    printed = by_command_line(paths, tmp_path / "links", environment)
    different = {
        path.name: (consumed[uris[path]], printed[path])
        for path in paths
        if (consumed[uris[path]] or "").strip() != printed[path].strip()
    }
    assert not different
