"""The program that enriches transcripts with the code of the tree in which it runs.

It is started as a file, since the tree may be of an earlier revision that does not have it; it therefore imports
the product alone. It reads one JSON object a line from its standard input, and writes one a line for each, in any
order; the first line that it writes names the profiles with their schemas.
"""

import argparse
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TextIO

from models.vllm.enricher import Enricher
from models.vllm.enrichment.request import EnrichRequest
from schemas.errors import JobError
from schemas.options import EnrichOptions
from schemas.settings import VllmSettings
from schemas.transcripts.transcript import Segment

CHARACTERS_PER_SECOND: Final = 15.0
"""How fast the speakers of made transcripts speak; only the segments' times depend on it."""


def segments_of(lines: list[str]) -> tuple[Segment, ...]:
    """Return lines as segments, one after the other."""
    segments: list[Segment] = []
    start = 0.0
    for number, line in enumerate(lines):
        end = start + max(1.0, len(line) / CHARACTERS_PER_SECOND)
        segments.append(Segment(id=number, start=round(start, 2), end=round(end, 2), text=line))
        start = end
    return tuple(segments)


def enrich(enricher: Enricher, asked: dict[str, Any]) -> dict[str, Any]:
    """Run one profile on one transcript; return its result, or the error that a caller gets."""
    request = EnrichRequest(
        asked["job_id"],
        segments_of(asked["lines"]),
        asked["language"],
        enricher.profiles_for(EnrichOptions(profiles=(asked["profile"],))),
        tenant=asked["tenant"],
    )
    started = time.monotonic()
    try:
        made = enricher.enrich(request)
    except JobError as error:
        problem = {"type": type(error).__name__, "message": str(error)}
        return {"error": problem, "seconds": time.monotonic() - started}
    result = made.results[0].model_dump(mode="json")
    return {"result": result, "model": made.model, "seconds": time.monotonic() - started}


def serve(enricher: Enricher, requests: TextIO, answers: TextIO, *, at_once: int) -> None:
    """Answer requests until their end. Blocks."""
    writing = threading.Lock()

    def write(value: dict[str, Any]) -> None:
        with writing:
            answers.write(json.dumps(value, ensure_ascii=False) + "\n")
            answers.flush()

    def answer(asked: dict[str, Any]) -> None:
        try:
            found = enrich(enricher, asked)
        except Exception as error:  # noqa: BLE001  the parent reports it and ends the run
            found = {"fault": f"{type(error).__name__}: {error}"}
        write({"job_id": asked["job_id"], **found})

    write({"profiles": {name: profile.schema for name, profile in enricher.profiles.items()}})
    with ThreadPoolExecutor(at_once) as threads:
        for line in requests:
            threads.submit(answer, json.loads(line))


def main() -> None:
    """Serve the parent over standard input and output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--model")
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--timeout-seconds", type=float, required=True)
    chosen = parser.parse_args()
    settings = VllmSettings(
        base_url=chosen.url,
        model=chosen.model,
        api_key=os.environ.get("KASCRIBE_VLLM_API_KEY"),
        timeout_seconds=chosen.timeout_seconds,
    )
    answers, sys.stdout = sys.stdout, sys.stderr  # what else is printed must not be read as an answer
    with Enricher(settings) as enricher:
        serve(enricher, sys.stdin, answers, at_once=chosen.at_once)


if __name__ == "__main__":
    main()
