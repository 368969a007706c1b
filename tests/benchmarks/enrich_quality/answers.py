"""The answers of a run, in a file of one JSON object a line: each is kept as soon as it is there."""

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.enrich_quality.recorder import Exchange


@dataclass(frozen=True, slots=True)
class Answer:
    """What one tree made of one cell: a result as published, or the error that a caller gets."""

    tree: str
    transcript: str
    profile: str
    schema: dict[str, Any] | None
    seconds: float
    exchanges: list[Exchange]
    model: str | None = None
    result: dict[str, Any] | None = None
    error: dict[str, str] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The cell's names."""
        return self.transcript, self.profile


class AnswerFile:
    """Answers by tree and cell. Safe between threads."""

    def __init__(self, path: Path) -> None:
        """Read what earlier runs kept. A last line that was cut off is dropped."""
        self._path = path
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, tuple[str, str]], Answer] = {}
        if path.exists():
            kept = path.read_bytes()
            whole = kept[: kept.rfind(b"\n") + 1]
            if whole != kept:
                path.write_bytes(whole)
            for line in whole.decode("utf-8").split("\n")[:-1]:
                self._keep(Answer(**json.loads(line)))

    def __len__(self) -> int:
        return len(self._answers)

    def has(self, tree: str, key: tuple[str, str]) -> bool:
        """Return whether this tree's answer to the cell is there."""
        return (tree, key) in self._answers

    def of_tree(self, tree: str) -> dict[tuple[str, str], Answer]:
        """Return a tree's answers by cell."""
        return {key: answer for (label, key), answer in self._answers.items() if label == tree}

    def trees(self) -> list[str]:
        """Return the labels of the trees, in the order of their first answers."""
        return list(dict.fromkeys(label for label, _ in self._answers))

    def add(self, answer: Answer) -> None:
        """Keep an answer, in the file first."""
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(answer), ensure_ascii=False) + "\n")
            self._keep(answer)

    def __iter__(self) -> Iterator[Answer]:
        return iter(list(self._answers.values()))

    def _keep(self, answer: Answer) -> None:
        self._answers[answer.tree, answer.key] = answer
