"""Questions of one transcript: every answer is checked, asked again a bounded number of times, and counted."""

import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from models.vllm.enrichment.answers import InvalidAnswer, read
from models.vllm.enrichment.bounds import Room, bounded
from models.vllm.enrichment.cleaning import as_plain_text
from models.vllm.enrichment.planner import completion_tokens, prompt_tokens
from models.vllm.enrichment.prompts import Wording, build, wording
from models.vllm.enrichment.token_estimate import Measure, measured, samples_of
from models.vllm.servers.client import OnText
from models.vllm.servers.pool import Pool
from models.vllm.servers.problems import ContextExceeded, Rejected
from models.vllm.servers.replies import Answer
from models.vllm.servers.wire import Ask, Prompt, Served
from models.vllm.tasks import gather_or_cancel
from schemas.events import TokenUsage
from schemas.options import Lane

ANSWER_ATTEMPTS: Final = 3
RETRY_TEMPERATURE: Final = 0.7
"""Asking the same again at temperature 0 would give the same answer."""
TEMPLATE_TOKENS: Final = 64
"""More than a chat template adds to a prompt, where it is not worth counting."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about which lines. ``schema`` None asks for text; ``known`` are the segments to cite."""

    name: str
    lines: tuple[str, ...]
    task: str
    schema: Mapping[str, Any] | None
    completion_tokens: int
    temperature: float
    known: frozenset[int] = frozenset()


@dataclass(slots=True)
class Tally:
    """What requests cost, added up as they return."""

    usage: TokenUsage = field(default_factory=TokenUsage)
    endings: list[str] = field(default_factory=list)
    """How the server ended answers that were taken, other than with ``stop``."""

    def add(self, usage: TokenUsage) -> None:
        """One more request."""
        self.usage = added(self.usage, usage)


def added(one: TokenUsage, other: TokenUsage) -> TokenUsage:
    """The sum, field by field."""
    return TokenUsage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        requests=one.requests + other.requests,
    )


@dataclass(slots=True)
class Asker:
    """Asks one server (and its stand-ins) about one transcript."""

    pool: Pool
    served: Served
    words: Wording
    nonce: str
    job_id: str
    lane: Lane
    salt: str | None
    measure: Measure = field(default_factory=Measure)
    _numbers: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    def prompt(self, question: Question) -> Prompt:
        """The question as it is sent."""
        return build(self.words, question.lines, question.task, nonce=self.nonce)

    def completion(self, wanted: int) -> int:
        """Tokens to leave for an answer in this context."""
        return completion_tokens(self.served.context_tokens, wanted)

    async def fits(self, question: Question) -> bool:
        """Whether prompt and answer fit the context: proven by bytes, else counted by the server."""
        prompt = self.prompt(question)
        budget = prompt_tokens(self.served.context_tokens, question.completion_tokens)
        if prompt.size_bytes + TEMPLATE_TOKENS <= budget:
            return True
        if self.measure(prompt.user) > 2 * budget:
            return False
        return await self.size(prompt) <= budget

    async def size(self, prompt: Prompt) -> int:
        """Tokens of a whole prompt: the server's count, or our estimate where it does not count."""
        if self.served.counts_tokens:
            with suppress(ContextExceeded, Rejected):
                return await self.pool.count(prompt, self.job_id)
        return self.measure(prompt.system) + self.measure(prompt.user) + TEMPLATE_TOKENS

    async def calibrate(self, texts: list[str]) -> Measure:
        """Counts samples, and keeps what they say about this transcript's tokens."""
        samples = samples_of(texts)
        if self.served.counts_tokens:
            prompts = [Prompt("", sample, "") for sample in ("", *samples)]
            with suppress(ContextExceeded, Rejected):
                empty, *counts = await gather_or_cancel(self.pool.count(prompt, self.job_id) for prompt in prompts)
                self.measure = measured(samples, [count - empty for count in counts])
        return self.measure

    async def value(self, question: Question, tally: Tally, on_text: OnText | None = None) -> Any:
        """The answer as its schema wants it, or as plain text when there is none.

        Raises InvalidAnswer when the attempts are spent, ContextExceeded, and the pool's job errors.
        """
        cut_off = 0
        problem = InvalidAnswer("no answer")
        for attempt in range(ANSWER_ATTEMPTS):
            if attempt and on_text:
                on_text(None)
            answer = await self._ask(question, attempt, cut_off, tally, on_text)
            try:
                value = _checked(answer, question)
            except InvalidAnswer as invalid:
                cut_off += not answer.complete
                problem = invalid
                continue
            if not answer.complete:
                tally.endings.append(answer.finish_reason)
            return value
        raise InvalidAnswer(f"after {ANSWER_ATTEMPTS} answers: {problem}")

    async def _ask(
        self, question: Question, attempt: int, cut_off: int, tally: Tally, on_text: OnText | None
    ) -> Answer:
        ask = Ask(
            prompt=self.prompt(question),
            max_completion_tokens=question.completion_tokens,
            temperature=max(question.temperature, RETRY_TEMPERATURE) if attempt else question.temperature,
            request_id=f"{self.job_id}:{question.name}:{self._numbers()}",
            schema=self._schema(question, cut_off),
            schema_name=question.name,
            lane=self.lane,
            salt=self.salt,
        )
        try:
            answer = await self.pool.ask(ask, self.job_id, on_text)
        except ContextExceeded as exceeded:
            self._learn(exceeded)
            raise
        except Rejected as refused:
            raise InvalidAnswer(f"the server refuses the request: {refused}") from refused
        tally.add(answer.usage)
        return answer

    def _learn(self, exceeded: ContextExceeded) -> None:
        """Where the context was assumed, the refusal says what it is: what is asked next is made for it."""
        if exceeded.context_tokens is not None and exceeded.context_tokens < self.served.context_tokens:
            self.served = replace(self.served, context_tokens=exceeded.context_tokens)
            self.words = wording(exceeded.context_tokens)

    def _schema(self, question: Question, cut_off: int) -> dict[str, Any] | None:
        """Bounded so that the longest answer fits; after answers that did not, by half and half again."""
        if question.schema is None:
            return None
        room = Room(
            tokens=question.completion_tokens / 2**cut_off,
            per_string_character=self.measure.tokens_per_character,
            per_other_character=min(1.0, 2 * self.measure.tokens_per_byte),
        )
        return bounded(question.schema, room)


def _checked(answer: Answer, question: Question) -> Any:
    if answer.cause:
        raise InvalidAnswer(f"an empty answer: {answer.cause}")
    if question.schema is not None:
        return read(answer.text, bounded(question.schema), question.known)
    text = as_plain_text(answer.text)
    if not text:
        raise InvalidAnswer("an empty answer: it holds no words")
    return text
