"""Whether vLLM can be installed here, told before gigabytes are fetched."""

import json
import os
from pathlib import Path

import pytest

from deploy.vllm.errors import VllmUnavailable
from deploy.vllm.installation import prepare
from deploy.vllm.server import find_server


def test_another_processor_is_told_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel is for x86-64 alone; elsewhere a server somewhere else is the way."""
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(VllmUnavailable, match=r"Linux on x86-64; set KASCRIBE_VLLM_BASE_URL"):
        prepare(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_installer_that_fails_is_told_in_the_words_of_this_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports of the stack's shared tools reach the caller that waits for vLLM; nothing incomplete is kept."""
    installer = tmp_path / "bin" / "uv"
    installer.parent.mkdir()
    installer.write_text("#!/bin/sh\necho no space left on device\nexit 1\n", encoding="utf-8")
    installer.chmod(0o755)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("ctypes.util.find_library", lambda _name: "libnuma.so.1")
    monkeypatch.setattr("sys.executable", str(installer.with_name("python")))
    monkeypatch.setenv("PATH", f"{installer.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    with pytest.raises(VllmUnavailable, match=r"failed, exit status 1:\nno space left on device"):
        prepare(tmp_path / "cache", report=lambda _line: None)
    assert list((tmp_path / "cache" / "vllm").glob("venv-*")) == []


def test_a_damaged_note_of_a_server_is_told(tmp_path: Path) -> None:
    """What is no note, or the note of another version, names the file to remove."""
    for text in ("{", json.dumps({"process": {}})):
        (tmp_path / "server.json").write_text(text, encoding="utf-8")
        with pytest.raises(VllmUnavailable, match=r"server\.json is damaged"):
            find_server(tmp_path)
