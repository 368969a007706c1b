"""The type of a row in the catalogue of log events."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
Alert = Literal["no", "when it lasts", "yes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """One event. ``name`` is the fixed text in the field ``event`` of its lines, ``fields`` what the call adds.

    ``cause``: lines with the same values of these fields are written once a minute, with the number of those left
    out; an exception counts as a part of the cause. None: each occurrence has its line.

    ``alert``: *when it lasts* means that single lines are part of normal operation.
    """

    name: str
    level: Level
    meaning: str
    action: str = ""
    fields: tuple[str, ...] = ()
    cause: tuple[str, ...] | None = None
    alert: Alert = "no"
