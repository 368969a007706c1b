"""Enriching against a raw load generator, on the same vLLM server in the same run: ``make bench-enrich``.

Fails when ours is below ``--least-ratio`` of raw, in requests or in tokens.

Both send the same bodies, as many at once; only the cache salt differs, so that neither finds the prefixes of the
other in the server. Temperature 0 and a schema of one length make all answers equally long. The raw side writes
prepared bytes to sockets and reads the answers; ours plans, sends, parses, validates and cleans. Rounds are pairs,
whose sides take turns in beginning, so that what else the machine does hits both; they last for half a minute, so
that their beginnings and ends, when the server is not full, weigh little. Both run on the processors that no
worker of the server is bound to: where one spins, others have been seen to wait for more than a second.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.stack.cache import default_cache
from deploy.vllm.server import VllmServer, down, up
from models.vllm.enricher import Enricher
from models.vllm.enrichment.profiles import Profile
from models.vllm.enrichment.request import EnrichRequest
from schemas.events import EnrichmentStatus
from schemas.settings import VllmSettings
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble, running

CONTEXT_TOKENS: Final = 2_048
TRANSCRIPT_WORDS: Final = 60
TEXT_CHARACTERS: Final = 80
POINTS: Final = 3
PROFILE: Final = "key_points"
NONCE: Final = "6e6f6e636500"
"""The same for all, so that what is recorded is what is sent."""
ONE_LENGTH: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key_points"],
    "properties": {
        "key_points": {
            "type": "array",
            "minItems": POINTS,
            "maxItems": POINTS,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["text", "segment_ids"],
                "properties": {
                    "text": {"type": "string", "pattern": f"^[a-z]{{{TEXT_CHARACTERS}}}$"},
                    "segment_ids": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"enum": [0, 1, 2]}},
                },
            },
        }
    },
}
"""The schema of ``key_points`` for three points of 80 characters: what a client costs is to be seen beside answers
as long as those of real models. Letters alone, since markup that the tiny model babbles is removed, and the
request then repeated."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one side. ``cpu_seconds`` are those of this process."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cpu_seconds: float

    def __add__(self, other: "Measured") -> "Measured":
        return Measured(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
        )

    @property
    def size(self) -> tuple[int, int, int]:
        """The server's work, which is the same for both sides."""
        return self.requests, self.prompt_tokens, self.completion_tokens

    @property
    def requests_per_second(self) -> float:
        """Completed answers by the clock."""
        return self.requests / self.seconds

    @property
    def tokens_per_second(self) -> float:
        """Tokens that the model made, by the clock."""
        return self.completion_tokens / self.seconds

    def figures(self) -> dict[str, float]:
        """Format the figures for people."""
        return {
            "requests_per_second": round(self.requests_per_second, 3),
            "tokens_per_second": round(self.tokens_per_second, 1),
            "prompt_tokens_per_request": self.prompt_tokens / self.requests,
            "completion_tokens_per_request": self.completion_tokens / self.requests,
            "client_cpu_milliseconds_per_request": round(self.cpu_seconds / self.requests * 1_000, 2),
        }


def ours(enricher: Enricher, requests: Sequence[EnrichRequest], in_flight: int) -> Measured:
    """Send the requests through the enricher, from as many threads as may be in flight."""
    started, cpu_started = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(in_flight) as threads:
        made = list(threads.map(enricher.enrich, requests))
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    if any(one.results[0].status is not EnrichmentStatus.COMPLETED for one in made):
        raise SystemExit("an answer was not valid: this would not be a fair comparison")
    return Measured(
        sum(one.usage.requests for one in made),
        sum(one.usage.prompt_tokens for one in made),
        sum(one.usage.completion_tokens for one in made),
        seconds,
        cpu_seconds,
    )


def bodies_of(requests: Sequence[EnrichRequest], model: str) -> list[bytes]:
    """Record what the enricher sends for these requests, with a double of the same context."""
    answer = json.dumps({"key_points": [{"text": "x" * TEXT_CHARACTERS, "segment_ids": [0]}] * POINTS})
    with running(VllmDouble(context_tokens=CONTEXT_TOKENS, text=answer)) as double:
        with Enricher(VllmSettings(base_url=double.base_url), nonce=lambda _: NONCE) as enricher:
            for request in requests:
                enricher.enrich(request)
        return [json.dumps({**asked.body, "model": model}).encode() for asked in double.completion_requests]


async def raw(url: str, bodies: Sequence[bytes], in_flight: int) -> Measured:
    """Send the bodies over bare sockets, kept alive, one request after another on each."""
    address = urlsplit(url)
    left = list(reversed(bodies))
    usages: list[dict[str, int]] = []
    started, cpu_started = time.perf_counter(), time.process_time()

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while left:
            body = left.pop()
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json"
            )
            writer.write(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            usages.append(json.loads(await reader.readexactly(int(length.split(b":")[1])))["usage"])
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return Measured(
        len(usages),
        sum(usage["prompt_tokens"] for usage in usages),
        sum(usage["completion_tokens"] for usage in usages),
        time.perf_counter() - started,
        time.process_time() - cpu_started,
    )


def profile_of_one_length(enricher: Enricher) -> Profile:
    """Build the requested profile, with answers that are equally long and the same every time."""
    return replace(enricher.profiles[PROFILE], schema=ONE_LENGTH, temperature=0.0)


def transcripts(enricher: Enricher, count: int, *, seed: int, salt: str) -> list[EnrichRequest]:
    """Make different transcripts of one length, each of which takes one request."""
    profiles = (profile_of_one_length(enricher),)
    return [
        replace(
            request_for(
                enricher, spoken(TRANSCRIPT_WORDS, seed=seed * 100_000 + number), job_id=f"{seed}-{number}"
            ),
            profiles=profiles,
            tenant=salt,
        )
        for number in range(count)
    ]


def compare(url: str, model: str, *, count: int, rounds: int, in_flight: int) -> dict[str, object]:
    """Measure both sides, alternating; return the medians of the pairs' ratios."""
    pairs: list[tuple[Measured, Measured]] = []
    settings = VllmSettings(base_url=url, concurrency_limit=in_flight)
    with Enricher(settings, nonce=lambda _: NONCE) as enricher:
        ours(enricher, transcripts(enricher, in_flight, seed=99, salt="warm"), in_flight)  # warms both up
        for number in range(rounds):
            bodies = bodies_of(transcripts(enricher, count, seed=number, salt=f"bare-{number}"), model)
            requests = transcripts(enricher, count, seed=number, salt=f"ours-{number}")
            if number % 2:
                mine = ours(enricher, requests, in_flight)
                bare = asyncio.run(raw(url, bodies, in_flight))
            else:
                bare = asyncio.run(raw(url, bodies, in_flight))
                mine = ours(enricher, requests, in_flight)
            if mine.size != bare.size:
                raise SystemExit(f"the sides did not send and get the same: {mine} and {bare}")
            pairs.append((mine, bare))
    return {"in_flight": in_flight, "rounds": rounds, **report(pairs)}


def is_enough(found: Mapping[str, Any], least_ratio: float) -> bool:
    """Return whether ours keeps up with raw, in requests and in tokens."""
    return min(float(found["requests_ratio"]), float(found["tokens_ratio"])) >= least_ratio


def report(pairs: Sequence[tuple[Measured, Measured]]) -> dict[str, object]:
    """Report ours by raw: the median pair, and each of them; the figures of both sides over all rounds."""
    requests = [mine.requests_per_second / bare.requests_per_second for mine, bare in pairs]
    tokens = [mine.tokens_per_second / bare.tokens_per_second for mine, bare in pairs]
    nothing = Measured(0, 0, 0, 0.0, 0.0)
    return {
        "requests_ratio": round(statistics.median(requests), 3),
        "tokens_ratio": round(statistics.median(tokens), 3),
        "requests_ratios": [round(ratio, 3) for ratio in requests],
        "ours": sum((mine for mine, _ in pairs), nothing).figures(),
        "raw": sum((bare for _, bare in pairs), nothing).figures(),
    }


def free_processors(server: VllmServer) -> set[int]:
    """Return the processors that no process of the server is bound to; all, if there are none."""
    usable = os.sched_getaffinity(0)
    allowed = [os.sched_getaffinity(process.pid) for process in server.processes]
    return usable.difference(*(those for those in allowed if those < usable)) or usable


def main() -> int:
    """Print the comparison as JSON; return 1 when ours is too slow."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.enrich", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="requests per round and side (default: 200)")
    parser.add_argument("--rounds", type=int, default=6, help="(default: 6)")
    parser.add_argument("--in-flight", type=int, default=32, help="requests at once (default: 32)")
    parser.add_argument("--least-ratio", type=float, default=0.9, help="of ours to raw (default: 0.9)")
    parser.add_argument("--state", type=Path, default=default_cache() / "vllm" / "bench", help="of the server")
    parser.add_argument("--keep", action="store_true", help="leave the server running")
    chosen = parser.parse_args()
    server = up(cache=default_cache(), state=chosen.state, context_tokens=CONTEXT_TOKENS)
    try:
        os.sched_setaffinity(0, free_processors(server))
        found = compare(
            server.base_url, server.model, count=chosen.count, rounds=chosen.rounds, in_flight=chosen.in_flight
        )
    finally:
        if not chosen.keep:
            down(chosen.state)
    print(json.dumps(found, indent=2))
    return 0 if is_enough(found, chosen.least_ratio) else 1


if __name__ == "__main__":
    sys.exit(main())
