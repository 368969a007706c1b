"""Questions about one transcript: each answer is validated, and requested again a bounded number of times."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Final

from models.vllm.enrichment.answers import InvalidAnswer, read_answer
from models.vllm.enrichment.bounds import TokenBudget, bound_schema
from models.vllm.enrichment.cleaning import as_plain_text
from models.vllm.enrichment.planner import completion_tokens, prompt_tokens
from models.vllm.enrichment.ports import CompletionServer
from models.vllm.enrichment.prompts import Wording, build_prompt, wording_for
from models.vllm.enrichment.token_estimate import TokenEstimate, estimate_from, samples_of
from models.vllm.servers.completion import (
    Completion,
    CompletionRequest,
    OnText,
    Prompt,
    ServedModel,
    TokenCounts,
)
from models.vllm.servers.problems import ContextExceeded, Rejected
from models.vllm.tasks import gather_or_cancel
from schemas.errors import EnrichmentInvalid
from schemas.options import Lane

ANSWER_ATTEMPTS: Final = 3
RETRY_TEMPERATURE: Final = 0.7
"""At temperature 0 the same prompt gives the same answer again."""
TEMPLATE_TOKENS: Final = 64
"""Upper bound of what a chat template adds to a prompt, used where it is not counted."""
LINES_MINIMUM_TOKENS: Final = 48
"""A context that leaves fewer tokens for the lines is too small for its prompt."""


@dataclass(frozen=True, slots=True)
class Question:
    """A task about some lines. ``schema`` None requests plain text; ``segment_ids`` may be cited."""

    name: str
    lines: tuple[str, ...]
    task: str
    schema: Mapping[str, Any] | None
    completion_tokens: int
    temperature: float
    segment_ids: frozenset[int] = frozenset()


@dataclass(slots=True)
class RequestTotals:
    """Totals over requests to servers, added up as they return."""

    usage: TokenCounts = field(default_factory=TokenCounts)
    finish_reasons: list[str] = field(default_factory=list)
    """Finish reasons of accepted completions, other than ``stop``."""


@dataclass(slots=True)
class Asker:
    """Puts questions about one transcript to a server. Used from one event loop.

    ``nonce`` marks the fence around the transcript; ``cache_salt`` separates tenants in the server's prefix cache.
    """

    server: CompletionServer
    model: ServedModel
    _: KW_ONLY
    nonce: str
    job_id: str
    lane: Lane
    cache_salt: str | None
    estimate: TokenEstimate = field(default_factory=TokenEstimate)
    _numbers: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    @property
    def wording(self) -> Wording:
        """The fixed texts for the model's context."""
        return wording_for(self.model.context_tokens)

    def completion_tokens(self, requested: int) -> int:
        """Return the tokens to leave for an answer in this context."""
        return completion_tokens(self.model.context_tokens, requested)

    async def answer(self, question: Question, totals: RequestTotals, on_text: OnText | None = None) -> Any:
        """Return the answer as its schema requires, or as plain text when there is no schema.

        Raises InvalidAnswer after ``ANSWER_ATTEMPTS``, ContextExceeded, and the server's job errors.
        """
        cut_off = 0
        problem = InvalidAnswer("no answer")
        for attempt in range(ANSWER_ATTEMPTS):
            if attempt and on_text:
                on_text(None)
            completion = await self._complete(self._request(question, attempt, cut_off), on_text)
            totals.usage += completion.usage
            try:
                answer = _validate(completion, question)
            except InvalidAnswer as invalid:
                cut_off += not completion.is_complete
                problem = invalid
                continue
            if not completion.is_complete:
                totals.finish_reasons.append(completion.finish_reason)
            return answer
        raise InvalidAnswer(f"after {ANSWER_ATTEMPTS} answers: {problem}")

    async def fits(self, question: Question) -> bool:
        """Return whether prompt and answer fit the context: proven by bytes, else counted by the server."""
        prompt = self._prompt(question.lines, question.task)
        budget = prompt_tokens(self.model.context_tokens, question.completion_tokens)
        if prompt.size_bytes + TEMPLATE_TOKENS <= budget:
            return True
        if self.estimate(prompt.user) > 2 * budget:
            return False
        return await self._count_tokens(prompt) <= budget

    async def tokens_for_lines(self, task: str, answer_tokens: int) -> int:
        """Return the tokens left for lines beside a task and its answer of ``answer_tokens``.

        Raises EnrichmentInvalid when they are too few for any text, and the server's job errors.
        """
        context, completion = self.model.context_tokens, self.completion_tokens(answer_tokens)
        fixed = await self._count_tokens(self._prompt((), task))
        left = prompt_tokens(context, completion) - fixed
        if left < LINES_MINIMUM_TOKENS:
            raise EnrichmentInvalid(
                f"a task of {fixed} tokens leaves {max(left, 0)} for the transcript in a context of {context}: "
                "shorten it, or serve the model with a larger --max-model-len"
            )
        return left

    async def calibrate(self, texts: list[str]) -> TokenEstimate:
        """Have the server count samples of the texts; keep the resulting estimate for this transcript."""
        samples = samples_of(texts)
        if self.model.can_count_tokens:
            prompts = [Prompt("", sample, "") for sample in ("", *samples)]
            with suppress(ContextExceeded, Rejected):
                counting = (self.server.count_tokens(prompt, self.job_id) for prompt in prompts)
                empty, *counts = await gather_or_cancel(counting)
                self.estimate = estimate_from(samples, [count - empty for count in counts])
        return self.estimate

    def _prompt(self, lines: Iterable[str], task: str) -> Prompt:
        return build_prompt(self.wording, lines, task, nonce=self.nonce)

    async def _count_tokens(self, prompt: Prompt) -> int:
        """Return the server's count of a whole prompt, or our estimate where it does not count."""
        if self.model.can_count_tokens:
            with suppress(ContextExceeded, Rejected):
                return await self.server.count_tokens(prompt, self.job_id)
        return self.estimate(prompt.system) + self.estimate(prompt.user) + TEMPLATE_TOKENS

    def _request(self, question: Question, attempt: int, cut_off: int) -> CompletionRequest:
        return CompletionRequest(
            prompt=self._prompt(question.lines, question.task),
            max_completion_tokens=question.completion_tokens,
            temperature=max(question.temperature, RETRY_TEMPERATURE) if attempt else question.temperature,
            request_id=f"{self.job_id}:{question.name}:{self._numbers()}",
            schema=self._bounded_schema(question, cut_off),
            schema_name=question.name,
            lane=self.lane,
            cache_salt=self.cache_salt,
        )

    async def _complete(self, request: CompletionRequest, on_text: OnText | None) -> Completion:
        try:
            return await self.server.complete(request, self.job_id, on_text)
        except ContextExceeded as exceeded:
            self._learn_context(exceeded)
            raise
        except Rejected as rejected:
            raise InvalidAnswer(f"the server refuses the request: {rejected}") from rejected

    def _learn_context(self, exceeded: ContextExceeded) -> None:
        """Adopt the context that a refusal states, where the known one was only assumed."""
        if exceeded.context_tokens is not None and exceeded.context_tokens < self.model.context_tokens:
            self.model = replace(self.model, context_tokens=exceeded.context_tokens)

    def _bounded_schema(self, question: Question, cut_off: int) -> dict[str, Any] | None:
        """Bound the schema so that its longest answer fits; halve the budget for each answer that was cut off."""
        if question.schema is None:
            return None
        budget = TokenBudget(
            tokens=question.completion_tokens / 2**cut_off,
            per_string_character=self.estimate.tokens_per_character,
            per_other_character=min(1.0, 2 * self.estimate.tokens_per_byte),
        )
        return bound_schema(question.schema, budget)


def _validate(completion: Completion, question: Question) -> Any:
    if completion.empty_reason:
        raise InvalidAnswer(f"an empty answer: {completion.empty_reason}")
    if question.schema is not None:
        return read_answer(completion.text, bound_schema(question.schema), question.segment_ids)
    text = as_plain_text(completion.text)
    if not text:
        raise InvalidAnswer("an empty answer: it holds no words")
    return text
