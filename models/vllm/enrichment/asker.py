"""Questions about one transcript: each answer is validated and judged, and requested again a few times."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Final

import structlog

from models.vllm.answers.bounds import bound_schema
from models.vllm.answers.cleaning import as_plain_text
from models.vllm.answers.gate import Expected, flags_of
from models.vllm.answers.lengths import TokenBudget, longest_string_characters
from models.vllm.answers.parts import reaches_a_bound
from models.vllm.answers.reading import InvalidAnswer, parse_answer, read_answer
from models.vllm.answers.repetition import is_digit_run, is_loop
from models.vllm.enrichment.attempts import Answer, Attempts, Sampling
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
from schemas.monitoring.tracing import span
from schemas.options import Lane
from schemas.transcripts.answer_flags import AnswerFlag

TEMPLATE_TOKENS: Final = 64
"""Upper bound of what a chat template adds to a prompt, used where it is not counted."""
LINES_MINIMUM_TOKENS: Final = 48
"""A context that leaves fewer tokens for the lines is too small for its prompt."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checks:
    """What the gate expects of an answer beside sense: one of the languages, if any, and words, if it must."""

    languages: tuple[str, ...] = ()
    may_be_empty: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """A task about some lines. ``schema`` None requests plain text; ``segment_ids`` may be cited.

    Without ``checks`` any valid answer is accepted.
    """

    name: str
    lines: tuple[str, ...]
    task: str
    schema: Mapping[str, Any] | None
    completion_tokens: int
    temperature: float
    segment_ids: frozenset[int] = frozenset()
    checks: Checks | None = None


@dataclass(slots=True)
class RequestTotals:
    """Totals over requests to servers, added up as they return."""

    usage: TokenCounts = field(default_factory=TokenCounts)
    finish_reasons: list[str] = field(default_factory=list)
    """Finish reasons of accepted completions, other than ``stop``."""
    is_truncated: bool = False
    """True when an accepted completion ended at a bound of its schema, or was not ended by the model."""


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
        """Return the value of ``ask``. Raises as it does."""
        return (await self.ask(question, totals, on_text)).value

    async def ask(self, question: Question, totals: RequestTotals, on_text: OnText | None = None) -> Answer:
        """Return the answer as its schema requires, or as plain text when there is no schema.

        Raises InvalidAnswer when no attempt gave an answer to publish, ContextExceeded, and job errors.
        """
        attempts, last = Attempts(question.temperature), ""
        while (sampling := attempts.next()) is not None:
            if attempts.count and on_text:
                on_text(None)
            request = self._request(question, sampling, attempts.cut_off)
            completion = await self._complete(request, on_text)
            totals.usage += completion.usage
            last = completion.text
            try:
                with span("validate"):
                    judged = self._judge(completion, question, request.schema)
                attempts.on_answer(judged)
            except InvalidAnswer as invalid:
                _log.info("answer of the model is not valid", question=question.name, error=str(invalid))
                attempts.on_invalid(_with_flags(invalid, completion), is_cut_off=not completion.is_complete)
        answer = attempts.best()
        if on_text and answer.text != last:
            on_text(None)
            on_text(answer.text)
        if answer.finish_reason:
            totals.finish_reasons.append(answer.finish_reason)
        totals.is_truncated = totals.is_truncated or answer.is_truncated
        return answer

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

    def _judge(self, completion: Completion, question: Question, sent: Mapping[str, Any] | None) -> Answer:
        """Return the answer in a completion with its flags. Raises InvalidAnswer."""
        value = _validate(completion, question)
        at_bound = sent is not None and reaches_a_bound(parse_answer(completion.text), sent)
        return Answer(
            value,
            completion.text,
            self._flags(value, question, question.checks, sent) if question.checks else (),
            is_truncated=at_bound or not completion.is_complete,
            finish_reason=None if completion.is_complete else completion.finish_reason,
        )

    def _flags(
        self, value: Any, question: Question, checks: Checks, sent: Mapping[str, Any] | None
    ) -> tuple[AnswerFlag, ...]:
        expected = Expected(
            lines=question.lines,
            prompt=f"{self.wording.system}\n{question.task}",
            nonce=self.nonce,
            schema=question.schema,
            languages=checks.languages,
            may_be_empty=checks.may_be_empty,
            room_characters=longest_string_characters(sent),
        )
        return flags_of(value, expected)

    def _request(self, question: Question, sampling: Sampling, cut_off: int) -> CompletionRequest:
        return CompletionRequest(
            prompt=self._prompt(question.lines, question.task),
            max_completion_tokens=question.completion_tokens,
            temperature=sampling.temperature,
            frequency_penalty=sampling.frequency_penalty,
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
        last = max(question.segment_ids, default=None)
        return bound_schema(question.schema, budget, last_segment_id=last)


def _with_flags(problem: InvalidAnswer, completion: Completion) -> InvalidAnswer:
    """Return the problem with what is wrong with the text: a loop has mostly run into the token limit."""
    if completion.is_complete:
        return problem
    conditions = {
        AnswerFlag.DIGIT_RUN: is_digit_run(completion.text),
        AnswerFlag.REPETITION: is_loop(completion.text),
    }
    return InvalidAnswer(str(problem), tuple(flag for flag, holds in conditions.items() if holds))


def _validate(completion: Completion, question: Question) -> Any:
    if completion.empty_reason:
        raise InvalidAnswer(f"an empty answer: {completion.empty_reason}")
    if question.schema is not None:
        return read_answer(completion.text, bound_schema(question.schema), question.segment_ids)
    text = as_plain_text(completion.text)
    if not text:
        raise InvalidAnswer("an empty answer: it holds no words")
    return text
