"""Enriching against a raw load generator, on the same vLLM server in the same run: ``make bench-enrich``.

Both send the same prompts with the same schema and limits, with the same number of requests in flight. The raw
side writes prepared bytes to sockets and reads the answers; ours plans, asks, parses, validates and cleans.
Rounds alternate, and so does who begins, so that what else the machine does hits both.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stack.cache import default_cache
from deploy.vllm.server import down, up
from models.vllm.enricher import Enricher
from models.vllm.enriching import EnrichRequest
from schemas.events import EnrichmentStatus
from schemas.settings import VllmSettings
from schemas.transcript import Segment
from tests.contract.transcripts import request_for, spoken
from tests.contract.vllm_double import VllmDouble, running

CONTEXT_TOKENS = 2_048
TRANSCRIPT_WORDS = 60
PROFILE = "key_points"


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one side."""

    requests: int
    completion_tokens: int
    seconds: float

    def __add__(self, other: "Measured") -> "Measured":
        return Measured(
            self.requests + other.requests,
            self.completion_tokens + other.completion_tokens,
            self.seconds + other.seconds,
        )

    @property
    def requests_per_second(self) -> float:
        """Completed answers by the clock."""
        return self.requests / self.seconds

    @property
    def tokens_per_second(self) -> float:
        """Tokens that the model made, by the clock."""
        return self.completion_tokens / self.seconds


def ours(enricher: Enricher, requests: Sequence[EnrichRequest], in_flight: int) -> Measured:
    """The requests through the enricher, from as many threads as may be in flight."""
    started = time.perf_counter()
    with ThreadPoolExecutor(in_flight) as threads:
        made = list(threads.map(enricher.enrich, requests))
    seconds = time.perf_counter() - started
    if any(one.results[0].status is not EnrichmentStatus.COMPLETED for one in made):
        raise SystemExit("an answer was not valid: this would not be a fair comparison")
    return Measured(
        sum(one.usage.requests for one in made), sum(one.usage.completion_tokens for one in made), seconds
    )


def bodies_of(requests: Sequence[EnrichRequest], model: str) -> list[bytes]:
    """What the enricher sends for these requests, recorded by a double with the same context."""
    with running(VllmDouble(context_tokens=CONTEXT_TOKENS)) as double:
        with Enricher(VllmSettings(base_url=double.base_url)) as enricher:
            for request in requests:
                enricher.enrich(request)
        return [json.dumps({**asked.body, "model": model}).encode() for asked in double.asked]


async def raw(url: str, bodies: Sequence[bytes], in_flight: int) -> Measured:
    """The bodies over bare sockets, kept alive, one answer after another on each."""
    address = urlsplit(url)
    left = list(bodies)
    tokens = 0
    started = time.perf_counter()

    async def worker() -> None:
        nonlocal tokens
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while left:
            body = left.pop()
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json"
            )
            writer.write(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            payload = json.loads(await reader.readexactly(int(length.split(b":")[1])))
            tokens += payload["usage"]["completion_tokens"]
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return Measured(len(bodies), tokens, time.perf_counter() - started)


def transcripts(enricher: Enricher, count: int, *, seed: int) -> list[EnrichRequest]:
    """Different transcripts of one length, each one request."""
    texts: list[tuple[Segment, ...]] = [spoken(TRANSCRIPT_WORDS, seed=seed * 100_000 + n) for n in range(count)]
    return [request_for(enricher, text, PROFILE, job_id=f"{seed}-{n}") for n, text in enumerate(texts)]


def compare(url: str, model: str, *, count: int, rounds: int, in_flight: int) -> dict[str, object]:
    """Both sides, alternating; sums over the rounds."""
    nothing = Measured(0, 0, 0.0)
    mine, bare = nothing, nothing
    with Enricher(VllmSettings(base_url=url, concurrency_limit=in_flight)) as enricher:
        ours(enricher, transcripts(enricher, in_flight, seed=99), in_flight)  # warms both up
        for number in range(rounds):
            bodies = bodies_of(transcripts(enricher, count, seed=2 * number), model)
            requests = transcripts(enricher, count, seed=2 * number + 1)
            if number % 2:
                mine += ours(enricher, requests, in_flight)
                bare += asyncio.run(raw(url, bodies, in_flight))
            else:
                bare += asyncio.run(raw(url, bodies, in_flight))
                mine += ours(enricher, requests, in_flight)
    return {
        "in_flight": in_flight,
        "rounds": rounds,
        "ours": {"requests_per_second": mine.requests_per_second, "tokens_per_second": mine.tokens_per_second},
        "raw": {"requests_per_second": bare.requests_per_second, "tokens_per_second": bare.tokens_per_second},
        "requests_ratio": mine.requests_per_second / bare.requests_per_second,
        "tokens_ratio": mine.tokens_per_second / bare.tokens_per_second,
        "tokens_per_answer": {
            "ours": mine.completion_tokens / mine.requests,
            "raw": bare.completion_tokens / bare.requests,
        },
    }


def main() -> None:
    """Prints the comparison as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.enrich", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="requests per round and side (default: 100)")
    parser.add_argument("--rounds", type=int, default=6, help="(default: 6)")
    parser.add_argument("--in-flight", type=int, default=32, help="requests at once (default: 32)")
    parser.add_argument("--state", type=Path, default=default_cache() / "vllm" / "bench", help="of the server")
    parser.add_argument("--keep", action="store_true", help="leave the server running")
    chosen = parser.parse_args()
    server = up(cache=default_cache(), state=chosen.state, context_tokens=CONTEXT_TOKENS)
    try:
        found = compare(
            server.base_url, server.model, count=chosen.count, rounds=chosen.rounds, in_flight=chosen.in_flight
        )
    finally:
        if not chosen.keep:
            down(chosen.state)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
