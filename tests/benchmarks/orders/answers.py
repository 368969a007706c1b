"""Answers kept in a file as they arrive, so that a run on a slow server can go on after an interruption."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any


class Answers:
    """Answers by key. Thread-safe. Without a file they are kept in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = Lock()
        self._known: dict[str, Any] = {}
        if path and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._known.update(json.loads(line))

    def get(self, key: str, ask: Callable[[], Any]) -> Any:
        """Return the answer that is known, else ask and keep it. Blocks while asking."""
        if key in self._known:
            return self._known[key]
        output = ask()
        with self._lock:
            self._known[key] = output
            if self._path:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({key: output}, ensure_ascii=False) + "\n")
        return output
