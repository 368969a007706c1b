"""``make demo``: audio dropped in a real bucket becomes transcripts on a real topic, through an outage too."""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from rich.console import Console
from rich.table import Table

from consumers.kafka.follower import Follower, Start
from deploy.stack import Stack, default_cache
from deploy.vllm import server as vllm
from kascribe.commands.selftest import words
from models.selftest import SELFTEST_MODEL_NAME, Clip, clips
from schemas.events import EnrichmentEvent, EnrichmentStatus
from schemas.kafka.topics import Topics
from schemas.settings import KafkaSettings
from tests.demo.bucket import Drop, Watcher, drop, make_files
from tests.demo.enrichment import GATEWAY_PORT, is_right, readme_requests, results_of, run_request
from tests.demo.lag import committed_everything
from tests.demo.role import RoleProcess
from tests.sound.recordings import FORMATS, read, write
from tests.support.waiting import eventually

TRANSCRIPT_TIMEOUT_SECONDS: Final = 60.0
OUTAGE_DROPS: Final = 5


@dataclass
class Demo:
    """A running pipeline, and the problems found so far."""

    stack: Stack
    watcher: Watcher
    clip: Clip
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
    files = make_files(demo.directory, read(demo.clip.path))
    drops = []
    for name, path in files.items():
        dropped = drop(
            demo.stack,
            demo.stack.bucket,
            path,
            key=f"formats/녹음 {path.name}",
            name=name,
            expected_text=demo.clip.text,
        )
        _wait_for(demo, [dropped])
        drops.append(dropped)
    _show(demo, "Eight formats, dropped one by one", drops)


def drop_during_an_outage(demo: Demo) -> None:
    """Drop files while Kafka is stopped, and check that every one becomes an event once it is back."""
    demo.console.print("Stopping Kafka …")
    demo.stack.kafka_stop()
    drops = []
    for index, path in enumerate(list(make_files(demo.directory, read(demo.clip.path)).values())[:OUTAGE_DROPS]):
        key = f"outage/{index}{path.suffix}"
        drops.append(drop(demo.stack, demo.stack.bucket, path, key=key, name=key, expected_text=demo.clip.text))
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
    server = vllm.up(cache=default_cache(), state=state, report=demo.console.print)
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


def enrich_a_drop(demo: Demo) -> None:
    """Drop a file whose metadata requests a summary: transcript and enrichment carry one trace id."""
    path = make_files(demo.directory, read(demo.clip.path))["flac"]
    topics = (Topics().transcripts, Topics().enrichments)
    with Follower(demo.kafka, topics, start=Start.NOW) as follower:
        dropped = drop(
            demo.stack,
            demo.stack.bucket,
            path,
            key="enriched/call.flac",
            name="enriched",
            expected_text=demo.clip.text,
            enrich="summary,title",
        )
        transcript, enrichment = results_of(follower, f"s3://{demo.stack.bucket}/{dropped.key}")
    seconds = time.monotonic() - dropped.dropped_at
    demo.console.print(f"{dropped.key}: transcript and enrichment after {seconds:.2f} s")
    demo.console.print(
        f"  trace of the transcript  {transcript.trace_id}\n  trace of the enrichment  {enrichment.trace_id}"
    )
    if transcript.trace_id != enrichment.trace_id:
        demo.wrong.append("transcript and enrichment belong to different traces")
    if isinstance(enrichment.event, EnrichmentEvent):
        for result in enrichment.event.results:
            demo.console.print(f"  {result.profile}: {result.status.value}, coverage {result.coverage:.0%}")
            if result.status is not EnrichmentStatus.COMPLETED:
                demo.wrong.append(f"{result.profile}: {result.failure}")


def ask_as_the_readme_does(demo: Demo) -> None:
    """Run the README's curl lines, word for word."""
    clip = next(clip for clip in clips() if clip.name.startswith("ko-commands"))
    recording = write(demo.directory / "clip.wav", read(clip.path), FORMATS["wav, 8 kHz stereo"])
    for command in readme_requests():
        answer = run_request(command, demo.directory, recording)
        demo.console.print(f"$ {command}\n  {answer}", markup=False, highlight=False)
        if not is_right(command, answer, clip.text):
            demo.wrong.append(f"{command}: {answer}")


def _wait_for(demo: Demo, drops: list[Drop]) -> None:
    keys = [dropped.key for dropped in drops]
    eventually(
        lambda: demo.watcher.has(keys), timeout_seconds=TRANSCRIPT_TIMEOUT_SECONDS, what=f"transcripts of {keys}"
    )


def _show(demo: Demo, title: str, drops: list[Drop]) -> None:
    table = Table("file", "transcript", "audio", "drop to event", title=title, title_justify="left")
    arrivals = demo.watcher.arrivals
    for dropped in drops:
        event = arrivals.first[dropped.key]
        right = words(event.text or "") == words(dropped.expected_text)
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
    clip = next(clip for clip in clips() if clip.text)
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
        environment = {**stack.environment, "KASCRIBE_WHISPER_MODEL": SELFTEST_MODEL_NAME}
        transcriber = RoleProcess("transcriber", environment, log=directory / "transcriber.log")
        resources.enter_context(transcriber)
        transcriber.wait_until_ready()
        console.print(f"Kafka, MinIO and a transcriber are ready after {time.monotonic() - started:.1f} s.")
        yield Demo(stack, watcher, clip, directory, console, environment, [])


if __name__ == "__main__":
    sys.exit(main())
