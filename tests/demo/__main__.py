"""``make demo``: audio dropped in a real bucket becomes transcripts on a real topic, through an outage too.

Speech and language are those of real models, small ones (``deploy.real_models``): the transcripts are of what was
said, and the summary is about it.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from rich.console import Console
from rich.table import Table

from consumers.kafka.follower import Follower, Start
from deploy.real_models import LANGUAGE_MODEL_NAME, fetch_language_model, fetch_whisper
from deploy.stack import Stack, default_cache
from deploy.vllm import server as vllm
from deploy.vllm.server import ServedModel
from schemas.events import EnrichmentEvent, EnrichmentStatus, TranscriptEvent
from schemas.kafka.topics import Topics
from schemas.settings import KafkaSettings
from tests.demo.bucket import Drop, Watcher, drop, make_files
from tests.demo.enrichment import GATEWAY_PORT, is_right, readme_requests, results_of, run_request
from tests.demo.lag import committed_everything
from tests.demo.role import RoleProcess
from tests.demo.speech import (
    KOREAN_WORDS,
    Spoken,
    english,
    has_content,
    is_about,
    is_same_speech,
    korean,
    to_summarize,
)
from tests.demo.trail import report
from tests.sound.recordings import FORMATS, read, write
from tests.support.waiting import eventually

TRANSCRIPT_TIMEOUT_SECONDS: Final = 300.0
CONTEXT_TOKENS: Final = 4_096
OUTAGE_DROPS: Final = 5
KOREAN_INSTRUCTION: Final = "다음 텍스트를 요약해주세요:"
ENGLISH_INSTRUCTION: Final = "Summarize the following text in one sentence:"


@dataclass
class Demo:
    """A running pipeline, and the problems found so far."""

    stack: Stack
    watcher: Watcher
    transcriber: RoleProcess
    spoken: Spoken
    directory: Path
    console: Console
    environment: dict[str, str]
    wrong: list[str]

    @property
    def kafka(self) -> KafkaSettings:
        """The stack's broker."""
        return KafkaSettings(bootstrap_servers=self.stack.bootstrap_servers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when everything came out as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the logs and the servers' data")
    parser.add_argument(
        "--without-vllm", action="store_true", help="leave out enrichment, and with it the gateway"
    )
    chosen = parser.parse_args(arguments)
    console = Console()
    with _running(console, keep=chosen.keep) as demo:
        drop_every_format(demo)
        drop_during_an_outage(demo)
        check_that_each_was_transcribed_once(demo)
        drop_korean(demo)
        if not chosen.without_vllm:
            with enriching(demo):
                enrich_a_drop(demo)
                ask_as_the_readme_does(demo)
    for sentence in demo.wrong:
        console.print(f"[red]wrong:[/] {sentence}")
    if not demo.wrong:
        console.print("[green]Everything came out as promised.[/]")
    return 1 if demo.wrong else 0


def drop_every_format(demo: Demo) -> None:
    """Drop one file of each format, one after the other, so that each latency is that of an idle system."""
    files = make_files(demo.directory, read(demo.spoken.path))
    drops = []
    for name, path in files.items():
        dropped = drop(
            demo.stack,
            demo.stack.bucket,
            path,
            key=f"formats/녹음 {path.name}",
            name=name,
            expected_text=demo.spoken.text,
        )
        _wait_for(demo, [dropped])
        drops.append(dropped)
    _show(demo, "Eight formats, dropped one by one", drops)


def drop_during_an_outage(demo: Demo) -> None:
    """Drop files while Kafka is stopped, and check that every one becomes an event once it is back."""
    demo.console.print("Stopping Kafka …")
    demo.stack.kafka_stop()
    drops = []
    for index, path in enumerate(list(make_files(demo.directory, read(demo.spoken.path)).values())[:OUTAGE_DROPS]):
        key = f"outage/{index}{path.suffix}"
        drops.append(drop(demo.stack, demo.stack.bucket, path, key=key, name=key, expected_text=demo.spoken.text))
    demo.console.print(f"{OUTAGE_DROPS} files dropped while Kafka was down. Starting Kafka …")
    demo.stack.kafka_start()
    _wait_for(demo, drops)
    _show(demo, "Dropped while Kafka was down (seconds from the drop, the outage included)", drops)


def check_that_each_was_transcribed_once(demo: Demo) -> None:
    """Wait until the consumer has completed every notification, second copies too, and count."""
    topic = Topics().objects
    eventually(
        lambda: committed_everything(demo.kafka, topic, group="kascribe.transcriber"),
        timeout_seconds=TRANSCRIPT_TIMEOUT_SECONDS,
        what=f"every record of {topic} completed",
    )
    counts = demo.watcher.collect().counts
    several = {key: count for key, count in counts.items() if count != 1}
    if several:
        demo.wrong.append(f"not transcribed exactly once: {several}")
    demo.console.print(f"{len(counts)} objects, {sum(counts.values())} transcripts: each exactly once.")


@contextmanager
def enriching(demo: Demo) -> Iterator[None]:
    """Run a vLLM server, an enricher and a gateway beside what runs already."""
    state = demo.directory / "vllm"
    cache = default_cache()
    model = ServedModel(fetch_language_model(cache, report=demo.console.print), LANGUAGE_MODEL_NAME)
    server = vllm.up(
        cache=cache, state=state, context_tokens=CONTEXT_TOKENS, model=model, report=demo.console.print
    )
    try:
        environment = {**demo.environment, "KASCRIBE_VLLM_BASE_URL": server.base_url}
        with (
            RoleProcess("enricher", environment, log=demo.directory / "enricher.log") as enricher,
            RoleProcess("gateway", environment, log=demo.directory / "gateway.log") as gateway,
        ):
            enricher.wait_until_ready()
            gateway.wait_until_ready("/health", port=GATEWAY_PORT)
            yield
    finally:
        vllm.down(state)


def drop_korean(demo: Demo) -> None:
    """Drop a Korean recording: its language is detected, and the words are Korean."""
    path = korean()
    if path is None:
        demo.console.print("No Korean recording: KASCRIBE_TEST_SPEECH names no folder with one.")
        return
    dropped = drop(demo.stack, demo.stack.bucket, path, key=f"korean/{path.name}", name="korean", expected_text="")
    _wait_for(demo, [dropped])
    event = demo.watcher.arrivals.first[dropped.key]
    demo.console.print(f"{dropped.key} ({event.language}): {event.text}", markup=False)
    if event.language != "ko" or not all(word in (event.text or "") for word in KOREAN_WORDS):
        demo.wrong.append(f"{dropped.key}: {event.language} {event.text!r}, without {KOREAN_WORDS}")


def enrich_a_drop(demo: Demo) -> None:
    """Drop a file whose metadata requests a summary: it is about the recording, and belongs to the same trace."""
    spoken = to_summarize()
    path = make_files(demo.directory, read(spoken.path))["flac"]
    topics = (Topics().transcripts, Topics().enrichments)
    with Follower(demo.kafka, topics, start=Start.NOW) as follower:
        dropped = drop(
            demo.stack,
            demo.stack.bucket,
            path,
            key="enriched/call.flac",
            name="enriched",
            expected_text=spoken.text,
            enrich="summary",
        )
        transcript, enrichment = results_of(follower, f"s3://{demo.stack.bucket}/{dropped.key}")
    seconds = time.monotonic() - dropped.dropped_at
    demo.console.print(f"{dropped.key}: transcript and enrichment after {seconds:.2f} s")
    demo.console.print(
        f"  trace of the transcript  {transcript.trace_id}\n  trace of the enrichment  {enrichment.trace_id}"
    )
    if transcript.trace_id != enrichment.trace_id:
        demo.wrong.append("transcript and enrichment belong to different traces")
    if isinstance(transcript.event, TranscriptEvent) and isinstance(enrichment.event, EnrichmentEvent):
        _check_summary(demo, transcript.event, enrichment.event)


def _check_summary(demo: Demo, transcript: TranscriptEvent, enrichment: EnrichmentEvent) -> None:
    text = transcript.text or ""
    demo.console.print(f"  {text}", markup=False)
    for result in enrichment.results:
        demo.console.print(
            f"  {result.profile}: {result.status.value}, coverage {result.coverage:.0%}\n  {result.output}",
            markup=False,
        )
        if not has_content(text):
            demo.console.print("  (This recording says too little for a summary to be about.)")
        elif result.status is not EnrichmentStatus.COMPLETED:
            demo.wrong.append(f"{result.profile}: {result.failure}")
        elif not is_about(str(result.output), text):
            demo.wrong.append(f"{result.profile} is not about the recording: {result.output}")


def ask_as_the_readme_does(demo: Demo) -> None:
    """Run the README's curl lines, in English: the recording is, and the small model knows nothing else.

    Of an instruction in Korean it makes endless repetitions, which are never published.
    """
    recording = write(demo.directory / "clip.wav", read(demo.spoken.path), FORMATS["wav, 8 kHz stereo"])
    for command in readme_requests():
        in_english = command.replace("language=ko", "language=en").replace(KOREAN_INSTRUCTION, ENGLISH_INSTRUCTION)
        answer = run_request(in_english, demo.directory, recording)
        demo.console.print(f"$ {in_english}\n  {answer}", markup=False, highlight=False)
        if not is_right(command, answer, demo.spoken.text):
            demo.wrong.append(f"{command}: {answer}")


def _wait_for(demo: Demo, drops: list[Drop]) -> None:
    """Wait for the transcripts. Without them, or when the transcriber ends, say how far each object came."""
    keys = [dropped.key for dropped in drops]
    with suppress(AssertionError):  # the report says more
        eventually(
            lambda: demo.watcher.has(keys) or demo.transcriber.exit_code is not None,
            timeout_seconds=TRANSCRIPT_TIMEOUT_SECONDS,
        )
    missing = [key for key in keys if not demo.watcher.has([key])]
    if missing:
        ended = demo.transcriber.exit_code
        late = f"after {TRANSCRIPT_TIMEOUT_SECONDS:.0f} s"
        why = late if ended is None else f"and the transcriber has ended with {ended}"
        told = report(demo.kafka, missing, directory=demo.directory)
        raise AssertionError(f"{len(missing)} of {len(keys)} transcripts are missing {why}:\n{told}")


def _show(demo: Demo, title: str, drops: list[Drop]) -> None:
    table = Table("file", "transcript", "audio", "drop to event", title=title, title_justify="left")
    arrivals = demo.watcher.arrivals
    for dropped in drops:
        event = arrivals.first[dropped.key]
        right = is_same_speech(event.text, dropped.expected_text)
        if not right:
            demo.wrong.append(f"{dropped.name}: {event.text!r} instead of {dropped.expected_text!r}")
        table.add_row(
            dropped.name,
            f"{'' if right else '[red]'}{event.text}",
            f"{event.audio_duration_seconds:.1f} s",
            f"{arrivals.seen_at[dropped.key] - dropped.dropped_at:.2f} s",
        )
    demo.console.print(table)


@contextmanager
def _running(console: Console, *, keep: bool) -> Iterator[Demo]:
    whisper = fetch_whisper(default_cache(), report=console.print)
    with ExitStack() as resources:
        directory = Path(mkdtemp(prefix="kascribe-demo-"))
        if not keep:
            resources.callback(shutil.rmtree, directory, ignore_errors=True)
        console.print(f"Logs and data: {directory}")
        started = time.monotonic()
        stack = Stack.up(directory / "stack", report=console.print)
        resources.callback(stack.down, purge=not keep)
        settings = KafkaSettings(bootstrap_servers=stack.bootstrap_servers)
        watcher = Watcher(settings)
        resources.callback(watcher.close)
        environment = {**stack.environment, "KASCRIBE_WHISPER_MODEL": str(whisper)}
        transcriber = RoleProcess("transcriber", environment, log=directory / "transcriber.log")
        resources.enter_context(transcriber)
        transcriber.wait_until_ready()
        console.print(f"Kafka, MinIO and a transcriber are ready after {time.monotonic() - started:.1f} s.")
        yield Demo(stack, watcher, transcriber, english(), directory, console, environment, [])


if __name__ == "__main__":
    sys.exit(main())
