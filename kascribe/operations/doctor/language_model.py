"""Whether the language model servers answer, accept the key, and hold to a schema."""

import asyncio
import json
from collections.abc import Iterator
from typing import Final

from kascribe.operations.doctor.findings import Finding, failed, ok, warning
from models.vllm.servers.client import ServerClient
from models.vllm.servers.completion import CompletionRequest, Prompt, ServedModel
from models.vllm.servers.problems import AccessRefused, ServerProblem, TooSlow, Unreachable
from schemas.clock import Clock
from schemas.options import Lane
from schemas.settings import VllmSettings
from schemas.settings.catalogue import without_credentials

ANSWER_SECONDS: Final = 30.0
"""For a completion of a few tokens, on a loaded server."""

ANSWER_TOKENS: Final = 32
SHORT_CONTEXT_TOKENS: Final = 4_096
"""With less, a transcript of minutes is condensed in parts."""

SCHEMA: Final = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["yes"]}},
    "required": ["answer"],
    "additionalProperties": False,
}


def check_server(settings: VllmSettings, base_url: str, *, clock: Clock) -> Iterator[Finding]:
    """Yield whether a server answers, its model and context, and whether it holds to a schema."""
    address = without_credentials(base_url)
    try:
        model, answer = asyncio.run(_ask(settings, base_url, clock))
    except ServerProblem as problem:
        yield _failed(f"server {address}", problem, settings)
        return
    yield ok(f"server {address}", "answers, and accepts the key" if settings.api_key else "answers, without a key")
    yield _model(model)
    yield _structured(answer)


async def _ask(settings: VllmSettings, base_url: str, clock: Clock) -> tuple[ServedModel, str | ServerProblem]:
    limits = settings.model_copy(update={"timeout_seconds": min(settings.timeout_seconds, ANSWER_SECONDS)})
    client = ServerClient(base_url, limits, clock=clock)
    try:
        model = await client.discover()
        request = CompletionRequest(
            Prompt("", "", 'Answer with {"answer": "yes"}.'),
            ANSWER_TOKENS,
            0.0,
            "doctor",
            schema=SCHEMA,
            lane=Lane.INTERACTIVE,
        )
        try:
            return model, (await client.complete(request, model)).text
        except ServerProblem as problem:
            return model, problem
    finally:
        await client.close()


def _failed(name: str, problem: ServerProblem, settings: VllmSettings) -> Finding:
    said = without_credentials(str(problem))
    if isinstance(problem, Unreachable):
        return failed(name, said, "start it, or correct KASCRIBE_VLLM_BASE_URL; see firewalls and DNS")
    if isinstance(problem, TooSlow):
        return failed(name, said, "restart it: it accepts connections and does not answer")
    if isinstance(problem, AccessRefused) and "KASCRIBE_VLLM_MODEL" in said:
        wanted = f", or have it serve {settings.model}" if settings.model else ""
        return failed(
            "model served", said.partition(": set")[0], f"set KASCRIBE_VLLM_MODEL to one of those{wanted}"
        )
    if isinstance(problem, AccessRefused):
        return failed(name, said, "set KASCRIBE_VLLM_API_KEY to the server's key, and check the address")
    return failed(name, said, "see the server's log")


def _model(model: ServedModel) -> Finding:
    found = f"{model.name}, context of {model.context_tokens:,} tokens"
    if model.context_tokens < SHORT_CONTEXT_TOKENS:
        remedy = f"serve it with --max-model-len {SHORT_CONTEXT_TOKENS} or more: long transcripts are split"
        return warning("model served", found, remedy)
    return ok("model served", found)


def _structured(answer: str | ServerProblem) -> Finding:
    name = "structured output"
    if isinstance(answer, ServerProblem):
        remedy = "serve the model with a vLLM that knows response_format of the kind json_schema"
        return failed(name, without_credentials(str(answer)), remedy)
    try:
        holds = json.loads(answer) == {"answer": "yes"}
    except ValueError:
        holds = False
    if not holds:
        remedy = "enable structured outputs in the server: it ignored the schema of the request"
        return failed(name, f"the answer breaks the schema: {answer[:60]!r}", remedy)
    return ok(name, "the answer holds to the schema")
