"""``kascribe submit`` for many sources: what is uploaded, what is one job, and what is said of failures."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kascribe.cli import app
from kascribe.documents.event_examples import EXAMPLES
from kascribe.submission.rows import JobRow
from schemas.errors import Reason
from schemas.events import AudioReference, TranscriptEvent
from schemas.kafka.reasons import REASON_TEXTS
from schemas.kafka.records import Coordinates
from schemas.kafka.topics import Topics
from schemas.results import ResultKeys, StoredJob
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.support.interrupting import interruptible
from tests.support.object_store import MOTO_CREDENTIALS, ObjectStore

REFERENCES = Topics("").references
MANY = 120


@dataclass(frozen=True)
class System:
    """A broker and a bucket without a transcriber, named in the environment, and a folder to submit from."""

    broker: MockCluster
    store: ObjectStore
    bucket: str
    folder: Path

    def submit(self, *arguments: str, stdin: bytes = b"") -> tuple[int, list[JobRow], str]:
        """Run ``kascribe submit --no-follow --json``; return its exit code, its rows and standard error."""
        arguments = ("submit", "--no-follow", "--json", *arguments)
        ran = CliRunner().invoke(app, arguments, input=stdin)
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        return ran.exit_code, [JobRow.model_validate_json(line) for line in ran.stdout.splitlines()], ran.stderr

    def references(self, count: int) -> list[AudioReference]:
        """Read the first references."""
        found = records_on(self.broker.bootstrap_servers, REFERENCES, count=count)
        return [AudioReference.model_validate_json(record.value or b"") for record in found]

    def uploads(self) -> list[str]:
        """Return the keys of the uploads."""
        return [key for key in self.store.keys(self.bucket) if key.startswith("kascribe-uploads/")]


@pytest.fixture
def system(
    broker: MockCluster, moto_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> System:
    """Name a broker and a new bucket in the environment, and go to a folder with two recordings."""
    settings = moto_store.settings()
    broker.create_topic(REFERENCES)
    for name, value in {
        **MOTO_CREDENTIALS,
        "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "KASCRIBE_KAFKA_LOG_LEVEL": "0",
        "KASCRIBE_S3_ENDPOINT_URL": moto_store.endpoint_url,
        "KASCRIBE_S3_BUCKET": settings.bucket,
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "rec" / "deep").mkdir(parents=True)
    (tmp_path / "rec" / "one.wav").write_bytes(b"one")
    (tmp_path / "rec" / "deep" / "two.wav").write_bytes(b"two!")
    monkeypatch.chdir(tmp_path)
    return System(broker, moto_store, settings.bucket, tmp_path)


def test_the_same_file_with_the_same_options_is_the_same_job_and_is_uploaded_once(system: System) -> None:
    """Other options, other bytes and another name are other jobs, and so is what the user asks for again."""
    code, first, _ = system.submit("rec")
    assert (code, {row.name for row in first}) == (0, {"deep/two.wav", "one.wav"})
    assert {row.status for row in first} == {"submitted"}
    before = system.uploads()
    _, again, _ = system.submit("rec")
    assert {row.job_id for row in again} == {row.job_id for row in first}
    assert system.uploads() == before
    jobs = {row.job_id for row in first}
    for arguments in (["--words"], ["--name", "renamed.wav"], ["--again"]):
        _, (row,), _ = system.submit("rec/one.wav", *arguments)
        assert row.job_id not in jobs
        jobs.add(row.job_id)
    (system.folder / "rec" / "one.wav").write_bytes(b"eno")
    _, (row,), _ = system.submit("rec/one.wav")
    assert row.job_id not in jobs


def test_an_upload_of_another_size_is_not_taken_for_this_one(system: System) -> None:
    """Whatever left it under the key: the file is uploaded again."""
    system.submit("rec/one.wav")
    (key,) = system.uploads()
    system.store.client.put_object(Bucket=system.bucket, Key=key, Body=b"half of")
    system.submit("rec/one.wav")
    assert system.store.client.get_object(Bucket=system.bucket, Key=key)["Body"].read() == b"one"


def test_a_file_that_fails_stops_no_other_and_is_listed_with_what_to_do(system: System) -> None:
    """In the row too; the exit code is 1."""
    (system.folder / "rec" / "empty.wav").touch()
    (system.folder / "rec" / "notes.txt").write_text("not audio")
    code, rows, said = system.submit("rec")
    assert code == 1
    by_name = {row.name: row for row in rows}
    assert by_name["one.wav"].status == by_name["deep/two.wav"].status == "submitted"
    failure = by_name["empty.wav"].failure
    assert failure is not None
    assert (failure.reason, failure.remedy) == ("audio_empty", REASON_TEXTS[Reason.AUDIO_EMPTY].remedy)
    assert "0 of 3 done, 1 failed\n  empty.wav: audio_empty: it is empty (0 bytes)" in said
    assert REASON_TEXTS[Reason.AUDIO_EMPTY].remedy in said
    assert "left out, neither audio nor video: notes.txt" in said


def test_a_quiet_command_says_only_what_failed(system: System) -> None:
    """No file that was left out, no job; the failures at the end stay."""
    (system.folder / "rec" / "notes.txt").write_text("not audio")
    assert system.submit("rec", "--quiet")[2] == ""
    (system.folder / "rec" / "empty.wav").touch()
    counts, failure, remedy = system.submit("rec", "--quiet")[2].splitlines()
    assert counts == "0 of 3 done, 1 failed"
    assert failure.startswith("  empty.wav: audio_empty: ")
    assert remedy.strip() == REASON_TEXTS[Reason.AUDIO_EMPTY].remedy


def test_objects_below_a_prefix_are_referred_to_where_they_are(system: System) -> None:
    """Nothing is copied; the same version of an object is the same job."""
    for key in ("calls/a.wav", "calls/b/c.mp3", "calls/readme.txt", "kascribe-results/x.wav"):
        system.store.client.put_object(Bucket=system.bucket, Key=key, Body=key.encode())
    prefix = f"s3://{system.bucket}/calls/"
    code, rows, said = system.submit(prefix)
    assert code == 0
    assert {row.name: row.uri for row in rows} == {"a.wav": f"{prefix}a.wav", "b/c.mp3": f"{prefix}b/c.mp3"}
    assert "neither audio nor video: readme.txt" in said
    assert system.uploads() == []
    _, (alone,), _ = system.submit(f"{prefix}a.wav")
    assert alone.job_id in {row.job_id for row in rows}
    assert {row.name for row in system.submit(f"s3://{system.bucket}/")[1]} == {"calls/a.wav", "calls/b/c.mp3"}
    system.store.client.put_object(Bucket=system.bucket, Key="calls/a.wav", Body=b"another")
    assert system.submit(f"{prefix}a.wav")[1][0].job_id != alone.job_id


def test_an_object_that_is_not_there_is_said_at_once(system: System) -> None:
    """Not by a job that waits for it; the other sources are submitted."""
    code, rows, _ = system.submit(f"s3://{system.bucket}/gone.wav", "rec/one.wav")
    assert code == 1
    statuses = {row.name: (row.status, row.failure and row.failure.reason) for row in rows}
    assert statuses == {"gone.wav": ("not_submitted", "audio_not_found"), "one.wav": ("submitted", None)}


def test_standard_input_is_submitted_under_its_name(system: System) -> None:
    """As any file: the same bytes under the same name are the same job."""
    _, (row,), _ = system.submit("-", "--name", "radio.ogg", stdin=b"OggS")
    (reference,) = system.references(1)
    assert (row.name, reference.metadata) == ("radio.ogg", {"name": "radio.ogg"})
    assert reference.uri.endswith("/radio.ogg")
    assert system.submit("-", "--name", "radio.ogg", stdin=b"OggS")[1][0].job_id == row.job_id


def test_a_job_that_is_finished_is_shown_and_not_submitted(system: System) -> None:
    """Its row has the transcript, and no second reference is published."""
    _, (row,), _ = system.submit("rec/one.wav")
    (reference,) = system.references(1)
    example: dict[str, Any] = {**EXAMPLES[TranscriptEvent], "job_id": row.job_id, "enrich": None, "exports": {}}
    event = TranscriptEvent.model_validate({**example, "idempotency_key": reference.idempotency_key})
    stored = StoredJob(job_id=event.job_id, owner=Coordinates(REFERENCES, 0, 0), content_key="c" * 64, event=event)
    key = ResultKeys("kascribe-results/").job(event.job_id)
    system.store.client.put_object(Bucket=system.bucket, Key=key, Body=stored.model_dump_json().encode())
    code, (finished,), said = system.submit("rec/one.wav")
    assert code == 0
    assert (finished.status, finished.was_finished, finished.text) == (event.status.value, True, event.text)
    assert f"one.wav: job {row.job_id} is finished already" in said


def test_an_interrupted_command_is_continued_by_the_same_one(system: System) -> None:
    """Exit code 130; what is submitted stays, and nothing is uploaded twice."""
    many = system.folder / "many"
    many.mkdir()
    for number in range(MANY):
        (many / f"{number}.wav").write_bytes(f"sound {number}".encode())
    with interruptible():
        started = subprocess.Popen(
            [sys.executable, "-m", "kascribe", "submit", "--no-follow", "many"], stdout=subprocess.PIPE, text=True
        )
    with started as running:
        assert running.stdout is not None
        output = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        output += running.stdout.read()
    assert running.returncode == 130, output
    assert f"of {MANY} are not submitted: the same command submits them, and uploads nothing twice" in output
    assert "goes on: `kascribe show " in output
    kept = set(system.uploads())
    assert 0 < len(kept) < MANY
    code, rows, _ = system.submit("many")
    assert (code, len({row.job_id for row in rows})) == (0, MANY)
    assert kept < set(system.uploads())
    assert len(system.uploads()) == MANY


@pytest.mark.usefixtures("system")
def test_rows_are_json_lines_and_everything_else_is_beside_them() -> None:
    """``jq`` can read standard output."""
    ran = CliRunner().invoke(app, ["submit", "--no-follow", "--json", "rec"])
    assert [json.loads(line)["status"] for line in ran.stdout.splitlines()] == ["submitted", "submitted"]
    assert "one.wav: job " in ran.stderr
