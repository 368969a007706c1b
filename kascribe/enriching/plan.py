"""What a run of ``kascribe enrich --all`` covers, and the state by which it is resumed."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import ConfigurationError
from schemas.events import TranscriptEvent
from schemas.identity import enrich_digest
from schemas.moments import Moment, moment_of
from schemas.options import EnrichOptions

NAME_CHARACTERS: Final = 12
"""Of the digest that names a run without a name."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class RunState(BaseModel):
    """The state of a run, kept beside its positions. ``started_at`` is what ``7d`` counts from."""

    model_config = ConfigDict(frozen=True)

    digest: str
    started_at: Moment
    is_finished: bool = False

    @classmethod
    def parse(cls, text: str) -> "RunState | None":
        """Parse a state; None for any other text."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None


@dataclass(frozen=True, slots=True)
class Selection:
    """The transcripts that a run covers, by the time when they were made and by tenant; empty: every tenant."""

    since: datetime | None = None
    until: datetime | None = None
    tenants: frozenset[str] = frozenset()

    def includes(self, event: TranscriptEvent) -> bool:
        """Return whether the run covers a transcript. ``until`` itself is outside."""
        return (
            (self.since is None or event.occurred_at >= self.since)
            and (self.until is None or event.occurred_at < self.until)
            and (not self.tenants or event.tenant in self.tenants)
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user wants, as written. Raises ConfigurationError for a name that cannot be used."""

    options: EnrichOptions
    since: str | None = None
    until: str | None = None
    tenants: tuple[str, ...] = ()
    name: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"--run {self.name} is no name: write at most 64 letters, digits, dots, hyphens and underscores"
            )

    @property
    def digest(self) -> str:
        """The identity of the options and the selection: the same command resumes the same run."""
        parts = [enrich_digest(self.options), self.since, self.until, sorted(set(self.tenants))]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def run_name(self) -> str:
        """The given name, else one that is derived from the options and the selection."""
        return self.name or self.digest[:NAME_CHARACTERS]

    def selection(self, started_at: datetime) -> Selection:
        """Return what the run covers when it began at this time. Raises ConfigurationError."""
        since = _moment("--since", self.since, started_at)
        until = _moment("--until", self.until, started_at)
        if since and until and since >= until:
            raise ConfigurationError(f"--since {self.since} is not before --until {self.until}")
        return Selection(since, until, frozenset(self.tenants))

    def resumed(self, state: RunState | None) -> RunState | None:
        """Return the state of the run that continues; None when a new one begins.

        Raises ConfigurationError when the name belongs to an unfinished run with other options.
        """
        if state is None or state.is_finished:
            return None
        if state.digest != self.digest:
            raise ConfigurationError(
                f"--run {self.run_name} names an unfinished run with other options, begun at "
                f"{state.started_at:%Y-%m-%d %H:%M} UTC: repeat its options, or choose another name"
            )
        return state


def _moment(option: str, written: str | None, now: datetime) -> datetime | None:
    if written is None:
        return None
    try:
        return moment_of(written, now=now)
    except ValueError as error:
        raise ConfigurationError(f"{option} {written}: {error}") from error
