"""``kascribe dlq`` as a person types it, on the embedded broker."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console
from typer.testing import CliRunner

from kascribe.commands.records.dlq import app, print_letters
from producers.publisher import Publisher
from schemas.kafka import dead_letters
from schemas.kafka.dead_letters import Cause, Site
from schemas.kafka.records import OutgoingRecord, Record
from schemas.settings import KafkaSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on

ORIGIN: Final = "audio.references"
LETTERS: Final = "audio.references.dlq"
RETRIES: Final = "audio.references.retry.30s"
LATE_MS: Final = 1_795_374_000_000
MESSAGE: Final = (
    "looking up s3://audio/kascribe-uploads/2026/11/25/call-000123.wav: the store answered 404 NoSuchKey"
)


@pytest.fixture
def publisher(broker: MockCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Publisher]:
    """Open a publisher to the broker of the command's environment, which has one letter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KASCRIBE_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    broker.create_topic(LETTERS)
    broker.create_topic(ORIGIN)
    broker.create_topic(RETRIES)
    with Publisher(KafkaSettings(bootstrap_servers=broker.bootstrap_servers)) as publisher:
        publisher.publish([letter(b"first")])
        yield publisher


def letter(value: bytes, *, reason: str = "audio_not_found", failed_ms: int = LATE_MS) -> OutgoingRecord:
    """Build a dead letter of the transcriber's."""
    record = Record(ORIGIN, 0, 5, b"key", value, (), 7)
    return dead_letters.write(record, Cause(reason, MESSAGE), Site("transcriber", "group", failed_ms), attempt=3)


def run(*arguments: str) -> str:
    """Return the standard output of a command that succeeds."""
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.mark.usefixtures("publisher")
def test_a_name_that_list_prints_is_one_that_show_and_redrive_take() -> None:
    """Off a terminal every letter is one line, its fields divided by tabs, nothing cut."""
    (line,) = run("list").splitlines()
    name, failed, reason, redriven, message = line.split("\t")
    assert (failed, reason, redriven, message) == ("2026-11-22 19:00:00", "audio_not_found", "", MESSAGE)
    assert run("show", name).endswith("\nfirst\n")
    assert run("redrive", name) == "1 redriven\n"
    assert run("list") == ""
    assert run("list", "--again").split("\t")[3] == "redriven"


def test_a_terminal_of_any_width_shows_whole_names() -> None:
    """The message is folded; the name is what one copies, and the reason is one that the documents explain."""
    name = "audio.references.dlq[0]@1234567"
    for width in (20, 60, 200):
        stream = io.StringIO()
        row = (name, "2026-11-22 19:00:00", "audio_not_found", "redriven", f"[/red] {MESSAGE}")
        print_letters(Console(file=stream, width=width, force_terminal=True, color_system=None), [row])
        assert stream.getvalue().startswith(f"{name}  2026-11-22 19:00:00  audio_not_found  redriven\n")
        assert "NoSuchKey" in stream.getvalue().replace("\n", "").replace(" ", "")


def test_unknown_kinds_of_letters_are_listed_like_others(publisher: Publisher) -> None:
    """One odd record in the topic must not hide the others, nor move the cursor of a terminal."""
    odd = letter(b"[" * 100_000, failed_ms=10**18, reason="\x1b[2J[/bold]\t")
    publisher.publish([odd, letter(b'{"idempotency_key": "\\ud800"}'), letter(b"last")])
    lines = run("list").splitlines()
    assert len(lines) == 4
    assert all(len(line.split("\t")) == 5 for line in lines)
    assert "\x1b" not in lines[1]


def test_letters_that_were_kept_without_their_value_are_not_sent_back(
    publisher: Publisher, broker: MockCluster
) -> None:
    """An empty record would only fail again; the command says how many there are and what to do instead."""
    refused = dead_letters.undeliverable_letter(
        OutgoingRecord(ORIGIN, b"job", b"x" * 2_000, ()), message="too large", now_ms=LATE_MS
    )
    publisher.publish([refused, letter(b"last")])
    assert run("redrive", "--dry-run").splitlines()[0] == "2 would be redriven"
    output = run("redrive").splitlines()
    assert output[0] == "2 redriven"
    assert output[1].startswith("1 left: too large for the broker")
    assert [record.value for record in records_on(broker.bootstrap_servers, RETRIES, count=2)] == [
        b"first",
        b"last",
    ]
    assert run("list").count("output_too_large") == 1


def test_a_letter_that_is_too_large_to_go_back_is_named_and_the_command_fails(
    publisher: Publisher, broker: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others went; the exit code says that not all did."""
    publisher.publish([letter(b"x" * 300_000)])
    monkeypatch.setenv("KASCRIBE_KAFKA_MESSAGE_MAX_BYTES", "200000")
    result = CliRunner().invoke(app, ["redrive"])
    assert (result.exit_code, result.stdout) == (1, "1 redriven\n")
    assert result.stderr.startswith(f"{LETTERS}[0]@1 was refused")
    assert f"max.message.bytes of {RETRIES}" in result.stderr
    assert [record.value for record in records_on(broker.bootstrap_servers, RETRIES, count=1)] == [b"first"]
