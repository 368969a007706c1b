"""``--json``: one object a line, with the fields that the option's help names, and nothing else beside it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from kascribe.cli import app
from kascribe.commands.benchmarking.figures import BenchRow
from kascribe.commands.installation.config import SettingRow
from kascribe.commands.installation.models import ModelRow
from kascribe.commands.installation.selftest import CheckRow
from kascribe.commands.records.letter_rows import LetterRow, RedriveRow, WholeLetterRow
from kascribe.commands.records.results import RepublishedRow
from kascribe.commands.transcripts.printing import TranscriptRow
from kascribe.submission.rows import JobRow
from models.selftest import clips
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
from tests.flow.mock_cluster import MockCluster
from tests.support.kept import event_of, spoken_transcript
from tests.support.object_store import MOTO_CREDENTIALS, running_object_store

TOPICS: Final = Topics()
LETTER: Final = "audio.references.dlq[0]@0"
JOB: Final = "j" * 64
BINARY: Final = b"\xff\xfe no text"

COMMANDS: Final[dict[str, tuple[tuple[str, ...], type[BaseModel]]]] = {
    "submit": (("--no-follow", "call.ogg"), JobRow),
    "transcribe": (("call.ogg", "--model", "selftest"), TranscriptRow),
    "selftest": (("--no-pipeline",), CheckRow),
    "bench": (("call.ogg", "--model", "selftest", "--seconds", "0"), BenchRow),
    "config show": ((), SettingRow),
    "models list": (("--known",), ModelRow),
    "dlq list": ((), LetterRow),
    "dlq show": ((LETTER,), WholeLetterRow),
    "dlq redrive": (("--dry-run",), RedriveRow),
    "results republish": ((JOB,), RepublishedRow),
}
"""What is typed after the command, and the fields of its lines. Other commands have tests of their own."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Name a broker with one dead letter, and a bucket with one job, in the environment; yield a folder."""
    directory = tmp_path_factory.mktemp("json")
    (directory / "call.ogg").write_bytes(clips()[0].path.read_bytes())
    record = Record(TOPICS.references, 0, 5, b"key", BINARY, (), 7)
    letter = dead_letters.write(record, Cause("audio_empty", "none"), Site("s", "group", failed_ms=1), attempt=3)
    with MockCluster() as broker, running_object_store() as store, pytest.MonkeyPatch.context() as environment:
        for topic in (*TOPICS.all, "audio.references.dlq"):
            broker.create_topic(topic)
        event = event_of(JOB, text="hello", name="call.wav")
        with Publisher(KafkaSettings(bootstrap_servers=broker.bootstrap_servers)) as publisher:
            publisher.publish([encode(event, topic=TOPICS.transcripts, key="k", trace=Trace.start()), letter])
        settings = store.settings()
        results = ResultStore(settings, client=store.client)
        results.put_transcript("c" * 64, spoken_transcript("hello"))
        owner = Coordinates("t", 0, 1)
        results.create_job(StoredJob(job_id=JOB, content_key="c" * 64, owner=owner, event=event))
        for name, value in {
            **MOTO_CREDENTIALS,
            "HOME": str(directory),
            "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "KASCRIBE_KAFKA_LOG_LEVEL": "0",
            "KASCRIBE_S3_ENDPOINT_URL": store.endpoint_url,
            "KASCRIBE_S3_BUCKET": settings.bucket,
        }.items():
            environment.setenv(name, value)
        environment.chdir(directory)
        yield directory
        store.client.close()


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("name", COMMANDS)
def test_every_line_is_an_object_with_the_fields_that_the_help_names(name: str) -> None:
    """Unknown fields are refused by the models, so a field that is renamed shows here."""
    arguments, row = COMMANDS[name]
    ran = CliRunner().invoke(app, [*name.split(), *arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    lines = ran.stdout.splitlines()
    assert lines
    for line in lines:
        assert set(json.loads(line)) == set(row.model_fields)
        row.model_validate_json(line)
    assert documented_fields(name) == list(row.model_fields)


def documented_fields(name: str) -> list[str]:
    """Return the fields that the help of ``--json`` names."""
    command: Any = typer.main.get_command(app)
    for part in name.split():
        command = command.commands[part]
    (option,) = (each for each in command.params if "--json" in each.opts)
    return re.findall(r"\w+", option.help.partition(": ")[2])


@pytest.mark.usefixtures("system")
def test_bytes_that_are_no_text_are_base64() -> None:
    """A dead letter may be anything; its row says which it is."""
    ran = CliRunner().invoke(app, ["dlq", "show", LETTER, "--json"])
    row = WholeLetterRow.model_validate_json(ran.stdout)
    assert (row.value_encoding, row.value) == ("base64", "//4gbm8gdGV4dA==")


@pytest.mark.usefixtures("system")
def test_events_say_their_type() -> None:
    """So one line of ``watch --json`` can be told from another."""
    ran = CliRunner().invoke(app, ["watch", "--from-beginning", "--count", "1", "--json"])
    event = json.loads(ran.stdout)
    assert (event["type"], event["job_id"]) == ("kascribe.audio.transcript.v1", JOB)
