"""Every command that prints: on a terminal, into a file, and with one stream on each."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from kascribe.documents.commands import command_names
from models.selftest import SELFTEST_MODEL_NAME, clips
from producers.publisher import Publisher
from producers.results import ResultStore
from schemas.kafka import dead_letters
from schemas.kafka.dead_letters import Cause, Site
from schemas.kafka.records import Coordinates, Record
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.results import StoredJob
from schemas.settings import KafkaSettings
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.flow.mock_cluster import MockCluster
from tests.support.kept import event_of, spoken_transcript
from tests.support.object_store import MOTO_CREDENTIALS, running_object_store
from tests.support.terminals import RunResult, Where, kascribe

HOSTILE: Final = "fine \x1b]0;owned\x07\x1b[2J\x9b1m \u202egpj\u2066"
STEERING: Final = ("\x1b]", "\x07", "\x1b[2J", "\x9b", "\u202e", "\u2066")
STYLES: Final = re.compile(r"\x1b\[[0-9;]*m")
TOPICS: Final = Topics()
LETTER: Final = "audio.references.dlq[0]@0"

COMMANDS: Final = {
    "config show": (("config", "show"), "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS"),
    "models list": (("models", "list", "--known"), "Systran/faster-whisper-tiny.en"),
    "models path": (("models", "path", "selftest"), "selftest/weights"),
    "show": (("show", "transcript.json"), "fine"),
    "show a job": (("show", "j" * 64), "fine"),
    "watch": (("watch", "--from-beginning", "--count", "1"), "completed"),
    "watch as json": (("watch", "--from-beginning", "--count", "1", "--json"), '"job_id"'),
    "dlq list": (("dlq", "list"), LETTER),
    "dlq show": (("dlq", "show", LETTER), "fine"),
    "dlq redrive": (("dlq", "redrive", "--dry-run"), "1 would be redriven"),
    "results republish": (("results", "republish", "j" * 64), "events published again"),
    "submit": (("submit", "--no-follow", f"call {HOSTILE}.wav"), "job "),
    "transcribe": (("transcribe", "call.ogg", "--as", "srt"), "-->"),
    "enrich": (("enrich", "transcript.json", "--profile", "title"), "title: completed"),
    "enrich all": (("enrich", "--all", "--profile", "title", "--dry-run"), "1 would be enriched"),
    "version": (("--version",), "kascribe 0."),
    "help": (("submit", "--help"), "--answer-language"),
}
"""What is typed, and what standard output contains then."""

ELSEWHERE: Final = {
    "run": "writes a log, see test_logs",
    "selftest": "is a test by itself",
    "doctor": "needs servers, see tests/integration/health/doctor/test_screen",
    "size": "see tests/unit/operations/test_sizing",
    "bench": "measures this machine, see terminal/test_bench",
    "up": "stays, see test_embedded_stack",
    "models pull": "see test_models_command",
    "models verify": "see test_models_command",
    "models remove": "see test_models_command",
    "keys add": "see test_keys_command",
    "keys list": "see test_keys_command",
    "keys revoke": "see test_keys_command",
    "reconcile": "see tests/contract/reconciler",
    "mcp": "speaks to a program, see tests/flow/agents",
    "jobs": "needs an archive",
    "search": "needs an archive",
    "usage": "needs an archive",
    "webhooks test": "needs a receiver, see tests/flow/notifier",
    "webhooks secret": "prints a new secret each time",
}


@dataclass(frozen=True)
class System:
    """A folder and the settings of a system whose every text tries to control the terminal."""

    directory: Path
    environment: dict[str, str]

    def run_everywhere(self, name: str) -> dict[Where, RunResult]:
        """Run one of the commands in each place, in all of them at once: most of its time is Python's start."""
        with ThreadPoolExecutor(len(Where)) as places:
            runs = {
                where: places.submit(kascribe, COMMANDS[name][0], where, self.directory, self.environment)
                for where in Where
            }
            return {where: run.result() for where, run in runs.items()}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Provide a broker with one transcript and one dead letter, a bucket with one result, a language model."""
    directory = tmp_path_factory.mktemp("terminal")
    (directory / "call.ogg").write_bytes(clips()[0].path.read_bytes())
    (directory / f"call {HOSTILE}.wav").write_bytes(b"audio")
    transcript = spoken_transcript(HOSTILE)
    (directory / "transcript.json").write_text(transcript.model_dump_json())
    event = event_of("j" * 64, text=HOSTILE, name=f"{HOSTILE}.wav")
    record = Record(TOPICS.references, 0, 5, HOSTILE.encode(), HOSTILE.encode(), (), 7)
    cause = Cause(f"audio_{HOSTILE}", HOSTILE, stack_trace=HOSTILE)
    letter = dead_letters.write(record, cause, Site(HOSTILE, "group", failed_ms=1), attempt=3)
    with MockCluster() as broker, running_object_store() as store, running(VllmDouble()) as language_model:
        for topic in (*TOPICS.all, "audio.references.dlq"):
            broker.create_topic(topic)
        with Publisher(KafkaSettings(bootstrap_servers=broker.bootstrap_servers)) as publisher:
            publisher.publish([encode(event, topic=TOPICS.transcripts, key="k", trace=Trace.start()), letter])
        settings = store.settings()
        results = ResultStore(settings, client=store.client)
        results.put_transcript("c" * 64, transcript)
        results.create_job(
            StoredJob(job_id="j" * 64, content_key="c" * 64, owner=Coordinates("t", 0, 1), event=event)
        )
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KASCRIBE_")}
        yield System(
            directory,
            {
                **inherited,
                **MOTO_CREDENTIALS,
                "HOME": str(directory),
                "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "KASCRIBE_S3_ENDPOINT_URL": store.endpoint_url,
                "KASCRIBE_S3_BUCKET": settings.bucket,
                "KASCRIBE_VLLM_BASE_URL": language_model.base_url,
                "KASCRIBE_WHISPER_MODEL": SELFTEST_MODEL_NAME,
            },
        )
        store.client.close()


def test_every_command_is_here_or_elsewhere() -> None:
    """A new command is run on a terminal too."""
    here = {
        name for name in command_names() if any(" ".join(typed).startswith(name) for typed, _ in COMMANDS.values())
    }
    assert here | set(ELSEWHERE) == set(command_names())


@pytest.mark.parametrize("name", COMMANDS)
def test_output_goes_where_it_is_sent_and_controls_no_terminal(system: System, name: str) -> None:
    """A file gets the whole output as it is, also beside a terminal; a terminal gets it escaped."""
    expected = COMMANDS[name][1]
    ran = system.run_everywhere(name)
    assert [run.exit_code for run in ran.values()] == [0, 0, 0], ran
    on_terminal, into_file, beside = (
        ran[where] for where in (Where.TERMINAL, Where.FILES, Where.FILE_BESIDE_TERMINAL)
    )
    assert expected in STYLES.sub("", on_terminal.screen)
    assert expected in into_file.stdout
    assert expected in beside.stdout
    for screen in (on_terminal.screen, beside.screen):
        assert [steering for steering in STEERING if steering in screen] == []
    if HOSTILE in into_file.stdout:
        assert HOSTILE in beside.stdout
