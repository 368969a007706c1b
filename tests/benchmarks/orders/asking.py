"""Answers to one transcript: of the product, and of the same model without the product's defences."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from models.vllm.answers.bounds import bound_schema
from models.vllm.answers.lengths import TokenBudget
from models.vllm.enricher import Enricher
from models.vllm.enrichment.profiles import Profile
from models.vllm.enrichment.prompts import FULL
from models.vllm.enrichment.request import EnrichRequest
from schemas.errors import EnrichmentInvalid
from schemas.transcripts.transcript import Segment

COMPLETION_TOKENS: Final = 128
"""Of one answer: an order shows in its first words, and a small model may never end."""


@dataclass(frozen=True, slots=True)
class Product:
    """The enricher as users run it: a fence around the transcript, the task after it."""

    enricher: Enricher
    name: str = "product"
    instructions: str = FULL.system

    def answer(self, segments: Sequence[Segment], language: str, profile: str) -> Any:
        """Return the output, None for an invalid one."""
        shorter = short(self.enricher.profiles[profile])
        request = EnrichRequest(f"orders-{profile}", tuple(segments), language, (shorter,))
        try:
            return self.enricher.enrich(request).results[0].output
        except EnrichmentInvalid:
            return None


@dataclass(frozen=True, slots=True)
class Bare:
    """The task with the transcript behind it in one message: no fence, no system text, no check of the answer."""

    client: httpx.Client
    model: str
    profiles: dict[str, Profile]
    name: str = "bare"
    instructions: str = ""

    def answer(self, segments: Sequence[Segment], language: str, profile: str) -> Any:
        """Return the output, or the raw text where it is no JSON."""
        task = short(self.profiles[profile])
        lines = "\n".join(f"[{segment.id}] {segment.text}" for segment in segments)
        schema = bound_schema(task.schema or {}, TokenBudget(COMPLETION_TOKENS, 0.5, 0.5))
        body = {
            "model": self.model,
            "messages": [
                {"role": "user", "content": f"{task.task} Answer in its language ({language}).\n{lines}"}
            ],
            "temperature": task.temperature,
            "max_completion_tokens": COMPLETION_TOKENS,
            "response_format": {"type": "json_schema", "json_schema": {"name": profile, "schema": schema}},
        }
        text = self.client.post("/v1/chat/completions", json=body).raise_for_status().json()
        content = text["choices"][0]["message"]["content"] or ""
        try:
            return json.loads(content, strict=False)
        except ValueError:
            return content


def short(profile: Profile) -> Profile:
    """Return the profile with a limit that suits a benchmark."""
    return replace(profile, max_completion_tokens=min(profile.max_completion_tokens, COMPLETION_TOKENS))
