"""Attempts at one answer: when to ask again, how, and which answer to keep. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final

from models.vllm.answers.gate import FATAL
from models.vllm.answers.reading import InvalidAnswer
from schemas.transcripts.answer_flags import AnswerFlag

ANSWER_ATTEMPTS: Final = 3
FLAGGED_ATTEMPTS: Final = 2
"""Answers to ask for when one of them can be published, with flags: each costs as much as the first."""
RETRY_TEMPERATURE: Final = 0.7
"""After an invalid answer. At temperature 0 the same prompt gives the same answer again."""
LOOP_TEMPERATURE: Final = 0.3
"""After two flagged answers: a weak model invents more at 0.7."""
FREQUENCY_PENALTY: Final = 0.5
"""After a flagged answer. Of 24 answers of a model with 135 million parameters, the second one was a loop or had
no support 5 times with it, 11 times at temperature 0.7, and 21 times with a repetition penalty, which also
punishes the words of the transcript."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model chooses its tokens. ``frequency_penalty`` counts those of the answer alone."""

    temperature: float
    frequency_penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer. ``text`` is what the model wrote; ``is_truncated``: words may be missing at its end."""

    value: Any
    text: str
    flags: tuple[AnswerFlag, ...] = ()
    is_truncated: bool = False
    finish_reason: str | None = None
    """The server's word for an answer that the model did not end itself."""

    @property
    def is_publishable(self) -> bool:
        """False for an answer that runs in circles or holds the fence."""
        return not FATAL.intersection(self.flags)


@dataclass(slots=True)
class Attempts:
    """The attempts so far at one question of this temperature."""

    temperature: float
    cut_off: int = 0
    """Invalid answers that the token limit cut off."""
    count: int = 0
    _flagged: int = 0
    _after_flagged: bool = False
    _problem: str = "no answer"
    _flags: tuple[AnswerFlag, ...] = ()
    _kept: list[Answer] = field(default_factory=list)

    def next(self) -> Sampling | None:
        """Return how to ask the next time; None when the answers so far must do."""
        if any(not answer.flags for answer in self._kept) or self.count >= ANSWER_ATTEMPTS:
            return None
        if self._kept and self.count >= FLAGGED_ATTEMPTS:
            return None
        if self._after_flagged:
            heated = max(self.temperature, LOOP_TEMPERATURE) if self._flagged > 1 else self.temperature
            return Sampling(heated, FREQUENCY_PENALTY)
        return Sampling(max(self.temperature, RETRY_TEMPERATURE) if self.count else self.temperature)

    def on_answer(self, answer: Answer) -> None:
        """Record a valid answer."""
        self.count += 1
        if answer.is_publishable:
            self._kept.append(answer)
        if answer.flags:
            self._on_flags(answer.flags, f"the answer is flagged {', '.join(answer.flags)}")

    def on_invalid(self, problem: InvalidAnswer, *, is_cut_off: bool) -> None:
        """Record an answer that violates its schema. ``problem.flags`` say what is wrong with its text."""
        self.count += 1
        self.cut_off += is_cut_off
        self._problem, self._after_flagged = str(problem), False
        if problem.flags:
            self._on_flags(problem.flags, str(problem))

    def best(self) -> Answer:
        """Return the answer with the fewest flags, the first of these. Raises InvalidAnswer when there is none."""
        if not self._kept:
            raise InvalidAnswer(f"after {self.count} answers: {self._problem}", self._flags)
        return min(self._kept, key=lambda answer: len(answer.flags))

    def _on_flags(self, flags: tuple[AnswerFlag, ...], problem: str) -> None:
        self._flagged += 1
        self._flags, self._problem, self._after_flagged = flags, problem, True
