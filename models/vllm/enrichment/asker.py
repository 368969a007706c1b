"""Questions of one transcript: every answer is checked, asked again a bounded number of times, and counted."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from models.vllm.enrichment.answers import InvalidAnswer, read
from models.vllm.enrichment.bounds import Room, bounded
from models.vllm.enrichment.cleaning import as_plain_text
from models.vllm.enrichment.planner import completion_tokens, prompt_tokens
from models.vllm.enrichment.ports import CompletionServer
from models.vllm.enrichment.prompts import Wording, build, wording
from models.vllm.enrichment.token_estimate import Measure, measured, samples_of
from models.vllm.servers.completion import Completion, CompletionRequest, OnText, Prompt, ServedModel, TokenCounts
from models.vllm.servers.problems import ContextExceeded, Rejected
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

    usage: TokenCounts = field(default_factory=TokenCounts)
    endings: list[str] = field(default_factory=list)
    """How the server ended answers that were taken, other than with ``stop``."""

    def add(self, usage: TokenCounts) -> None:
        """One more request."""
        self.usage += usage


def token_usage(counts: TokenCounts) -> TokenUsage:
    """Return token counts as results carry them."""
    return TokenUsage(**asdict(counts))


def sum_of(usages: Iterable[TokenUsage]) -> TokenUsage:
    """Add usages field by field."""
    total = TokenCounts()
    for usage in usages:
        total += TokenCounts(**usage.model_dump())
    return token_usage(total)


@dataclass(slots=True)
class Asker:
    """Asks one server (and its stand-ins) about one transcript."""

    server: CompletionServer
    model: ServedModel
    words: Wording
    nonce: str
    job_id: str
    lane: Lane
    cache_salt: str | None
    measure: Measure = field(default_factory=Measure)
    _numbers: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    def prompt(self, question: Question) -> Prompt:
        """The question as it is sent."""
        return build(self.words, question.lines, question.task, nonce=self.nonce)

    def completion(self, wanted: int) -> int:
        """Tokens to leave for an answer in this context."""
        return completion_tokens(self.model.context_tokens, wanted)

    async def fits(self, question: Question) -> bool:
        """Whether prompt and answer fit the context: proven by bytes, else counted by the server."""
        prompt = self.prompt(question)
        budget = prompt_tokens(self.model.context_tokens, question.completion_tokens)
        if prompt.size_bytes + TEMPLATE_TOKENS <= budget:
            return True
        if self.measure(prompt.user) > 2 * budget:
            return False
        return await self.size(prompt) <= budget

    async def size(self, prompt: Prompt) -> int:
        """Tokens of a whole prompt: the server's count, or our estimate where it does not count."""
        if self.model.can_count_tokens:
            with suppress(ContextExceeded, Rejected):
                return await self.server.count_tokens(prompt, self.job_id)
        return self.measure(prompt.system) + self.measure(prompt.user) + TEMPLATE_TOKENS

    async def calibrate(self, texts: list[str]) -> Measure:
        """Counts samples, and keeps what they say about this transcript's tokens."""
        samples = samples_of(texts)
        if self.model.can_count_tokens:
            prompts = [Prompt("", sample, "") for sample in ("", *samples)]
            with suppress(ContextExceeded, Rejected):
                empty, *counts = await gather_or_cancel(
                    self.server.count_tokens(prompt, self.job_id) for prompt in prompts
                )
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
                cut_off += not answer.is_complete
                problem = invalid
                continue
            if not answer.is_complete:
                tally.endings.append(answer.finish_reason)
            return value
        raise InvalidAnswer(f"after {ANSWER_ATTEMPTS} answers: {problem}")

    async def _ask(
        self, question: Question, attempt: int, cut_off: int, tally: Tally, on_text: OnText | None
    ) -> Completion:
        request = CompletionRequest(
            prompt=self.prompt(question),
            max_completion_tokens=question.completion_tokens,
            temperature=max(question.temperature, RETRY_TEMPERATURE) if attempt else question.temperature,
            request_id=f"{self.job_id}:{question.name}:{self._numbers()}",
            schema=self._schema(question, cut_off),
            schema_name=question.name,
            lane=self.lane,
            cache_salt=self.cache_salt,
        )
        try:
            answer = await self.server.complete(request, self.job_id, on_text)
        except ContextExceeded as exceeded:
            self._learn(exceeded)
            raise
        except Rejected as refused:
            raise InvalidAnswer(f"the server refuses the request: {refused}") from refused
        tally.add(answer.usage)
        return answer

    def _learn(self, exceeded: ContextExceeded) -> None:
        """Where the context was assumed, the refusal says what it is: what is asked next is made for it."""
        if exceeded.context_tokens is not None and exceeded.context_tokens < self.model.context_tokens:
            self.model = replace(self.model, context_tokens=exceeded.context_tokens)
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


def _checked(answer: Completion, question: Question) -> Any:
    if answer.empty_reason:
        raise InvalidAnswer(f"an empty answer: {answer.empty_reason}")
    if question.schema is not None:
        return read(answer.text, bounded(question.schema), question.known)
    text = as_plain_text(answer.text)
    if not text:
        raise InvalidAnswer("an empty answer: it holds no words")
    return text
