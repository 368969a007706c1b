"""Bad input on real servers gets the right reason, the original bytes are kept, and neighbours complete."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import boto3
import numpy as np
import pytest

from models.selftest import clips
from schemas.transcripts.transcript import TranscriptStatus
from tests.integration.pipeline import Pipeline
from tests.integration.stack import PrivateStack
from tests.sound.recordings import FORMATS, SAMPLE_RATE_HERTZ, Sound, read, write
from tests.support.waiting import eventually

OBJECT_LIMIT_BYTES: Final = 3_000_000
AUDIO_LIMIT_SECONDS: Final = 60
FORBIDDEN: Final = "forbidden/"


@pytest.fixture(scope="module")
def pipeline(stack: PrivateStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Run one transcriber for all rows: what one row does must not harm the next."""
    settings = {
        "KASCRIBE_S3_OBJECT_LIMIT_BYTES": str(OBJECT_LIMIT_BYTES),
        "KASCRIBE_WHISPER_AUDIO_LIMIT_SECONDS": str(AUDIO_LIMIT_SECONDS),
        "KASCRIBE_WHISPER_DECODER_PROCESSES": "1",
        "KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS": "1,2",
        **credentials_that_may_not_read(stack, f"*/{FORBIDDEN}*"),
    }
    with Pipeline(stack, tmp_path_factory.mktemp("bad-input"), settings) as running:
        yield running


def credentials_that_may_not_read(stack: PrivateStack, keys: str) -> dict[str, str]:
    """Get temporary credentials for everything but reading objects that match, from the store's own STS."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": f"arn:aws:s3:::{keys}",
            },
        ],
    }
    sts = boto3.client(
        "sts",
        endpoint_url=stack.environment["KASCRIBE_S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=stack.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.environment["AWS_SECRET_ACCESS_KEY"],
    )
    # MinIO evaluates the policy alone; boto3 insists on the rest.
    given = sts.assume_role(
        RoleArn="arn:aws:iam::000000000000:role/test", RoleSessionName="test", Policy=json.dumps(policy)
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


@pytest.fixture(scope="module")
def speech() -> Sound:
    """Read a clip that the model knows, as samples."""
    return read(next(clip.path for clip in clips() if clip.text))


@pytest.fixture(autouse=True)
def neighbours_are_unharmed(pipeline: Pipeline, speech: Sound, tmp_path: Path) -> Iterator[None]:
    """Check after each row that a good file behind it on the same partition gets its transcript."""
    yield
    uri = pipeline.put(write(tmp_path / "good.flac", speech, FORMATS["flac"]).read_bytes(), name="good.flac")
    pipeline.refer(uri)
    assert pipeline.transcript_of(uri).text


def refused(pipeline: Pipeline, value: bytes, reason: str) -> None:
    """Check that the record's dead letter has the reason, its key, its bytes and its own headers."""
    letter = pipeline.dead_letter_of(value)
    assert (letter.reason, letter.record.key) == (reason, b"k")
    assert letter.record.value == value
    assert letter.record.header("team") == b"billing"
    assert letter.message
    assert any(event.failure and event.failure.reason.value == reason for event in pipeline.failures())


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\xfe not json",
        b'{"uri": 7}',
        b"[]",
        json.dumps(
            {"schema_version": "9.0", "event_id": "e", "occurred_at": "2026-11-22T00:00:00Z", "uri": "s3://b/k"}
        ).encode(),
    ],
    ids=["not JSON", "wrong types", "wrong shape", "unknown version"],
)
def test_what_is_no_event_is_invalid(pipeline: Pipeline, value: bytes) -> None:
    """Not JSON, the wrong shape or an unknown version is ``invalid_event``, byte for byte kept."""
    refused(pipeline, pipeline.publish(value), "invalid_event")


def test_what_is_no_notification_is_invalid(pipeline: Pipeline) -> None:
    """The same holds on the topic of notifications."""
    value = pipeline.publish(b'{"Records": "none"}', topic=pipeline.topics.objects)
    refused(pipeline, value, "invalid_event")


def test_a_missing_object_is_retried_before_it_is_given_up(pipeline: Pipeline) -> None:
    """An object that does not exist is requested three times, then it is ``audio_not_found``."""
    value = pipeline.refer(f"s3://{pipeline.bucket}/nowhere.wav")
    refused(pipeline, value, "audio_not_found")
    assert pipeline.dead_letter_of(value).attempt == 3


def test_an_object_that_may_not_be_read_is_retried_before_it_is_given_up(pipeline: Pipeline) -> None:
    """A policy that denies reading is ``audio_forbidden``, after three attempts."""
    value = pipeline.refer(pipeline.put(b"x", name=f"{FORBIDDEN}call.wav"))
    refused(pipeline, value, "audio_forbidden")
    assert pipeline.dead_letter_of(value).attempt == 3


def test_an_overwritten_object_is_read_as_it_is_now(pipeline: Pipeline, speech: Sound, tmp_path: Path) -> None:
    """When the etag of the reference is not the object's any more, the current version is used and recorded."""
    uri = pipeline.put(write(tmp_path / "now.flac", speech, FORMATS["flac"]).read_bytes())
    pipeline.refer(uri, etag="0123456789abcdef0123456789abcdef")
    assert pipeline.transcript_of(uri).source_changed


@pytest.mark.parametrize(
    "uri", ["s3://another-bucket/a.wav", "http://169.254.169.254/latest", "file:///etc/passwd"]
)
def test_a_source_outside_the_allowed_ones_is_not_fetched(pipeline: Pipeline, uri: str) -> None:
    """Other buckets and other schemes are ``source_not_allowed``."""
    refused(pipeline, pipeline.refer(uri), "source_not_allowed")


def test_an_object_above_the_limit_is_too_large(pipeline: Pipeline) -> None:
    """It is refused by its size, before it is read."""
    refused(pipeline, pipeline.refer(pipeline.put(bytes(OBJECT_LIMIT_BYTES + 1))), "audio_too_large")


def test_audio_above_the_limit_is_too_long(pipeline: Pipeline, tmp_path: Path) -> None:
    """A small file may hold hours: silence compresses well. It is stopped at the limit."""
    silence = np.zeros(SAMPLE_RATE_HERTZ * (AUDIO_LIMIT_SECONDS + 5), dtype=np.float32)
    path = write(tmp_path / "long.flac", silence, FORMATS["flac"])
    assert path.stat().st_size < 100_000
    refused(pipeline, pipeline.refer(pipeline.put(path.read_bytes())), "audio_too_long")


def test_an_object_without_bytes_is_empty(pipeline: Pipeline) -> None:
    """No bytes is ``audio_empty``."""
    refused(pipeline, pipeline.refer(pipeline.put(b"")), "audio_empty")


@pytest.mark.parametrize(
    "body",
    [b"PK\x03\x04" + bytes(5_000), b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", b"just some text"],
    ids=["zip", "playlist", "text"],
)
def test_what_is_not_audio_is_undecodable(pipeline: Pipeline, body: bytes) -> None:
    """What no demuxer takes, and playlists that lead elsewhere, are ``audio_undecodable``."""
    refused(pipeline, pipeline.refer(pipeline.put(body)), "audio_undecodable")


def test_a_truncated_header_is_undecodable(pipeline: Pipeline, speech: Sound, tmp_path: Path) -> None:
    """A file that was cut off before its first sample is ``audio_undecodable``."""
    whole = write(tmp_path / "whole.m4a", speech, FORMATS["m4a"]).read_bytes()
    refused(pipeline, pipeline.refer(pipeline.put(whole[:200])), "audio_undecodable")


@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_no_speech_gives_a_transcript_without_words(pipeline: Pipeline, tmp_path: Path, kind: str) -> None:
    """Silence and noise complete with ``no_speech`` and no invented text."""
    noise = np.random.default_rng(7).normal(0, 0.05, SAMPLE_RATE_HERTZ * 4).astype(np.float32)
    sound = noise if kind == "noise" else np.zeros_like(noise)
    uri = pipeline.put(write(tmp_path / f"{kind}.flac", sound, FORMATS["flac"]).read_bytes())
    pipeline.refer(uri)
    event = pipeline.transcript_of(uri)
    assert (event.status, event.text) == (TranscriptStatus.NO_SPEECH, "")


@pytest.mark.parametrize(
    "options", [{"language": "klingon"}, {"task": "sing"}, {"beam_size": 99}, {"model": "another"}], ids=str
)
def test_options_that_cannot_be_met_are_invalid(
    pipeline: Pipeline, speech: Sound, tmp_path: Path, options: dict[str, object]
) -> None:
    """An unknown language, task or model is ``invalid_options``, and the message names it."""
    uri = pipeline.put(write(tmp_path / "any.flac", speech, FORMATS["flac"]).read_bytes())
    refused(pipeline, pipeline.refer(uri, options=options), "invalid_options")


def test_media_that_kills_its_decoder_is_retried_and_given_up(
    pipeline: Pipeline, speech: Sound, tmp_path: Path
) -> None:
    """When the child that decodes a file dies, the file is retried once, then it is ``audio_undecodable``."""
    minute = np.tile(speech, int(AUDIO_LIMIT_SECONDS * SAMPLE_RATE_HERTZ / len(speech)))
    uri = pipeline.put(write(tmp_path / "killer.flac", minute, FORMATS["flac"]).read_bytes(), name="killer.flac")
    value = pipeline.refer(uri)

    def letter_while_killing() -> bool:
        kill_decoders(pipeline.role.pid)
        return any(record.value == value for record in pipeline.dead())

    eventually(
        letter_while_killing, timeout_seconds=60, interval_seconds=0.02, what="the dead letter of the killer"
    )
    refused(pipeline, value, "audio_undecodable")


def kill_decoders(parent: int) -> None:
    """Send SIGKILL to every child of the role that has a file open, as a crash in a codec would end it."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and _is_decoder(directory, parent) and _has_a_file(directory):
            os.kill(int(directory.name), signal.SIGKILL)


def _is_decoder(directory: Path, parent: int) -> bool:
    try:
        fields = (directory / "stat").read_text().rsplit(")", 1)[1].split()
        command = (directory / "cmdline").read_bytes()
    except OSError:
        return False
    return int(fields[1]) == parent and fields[0] != "Z" and b"models.media.child" in command


def _has_a_file(directory: Path) -> bool:
    # A child that has not begun with a file has only pipes; that it dies then is no file's fault.
    try:
        held = [descriptor.readlink() for descriptor in (directory / "fd").iterdir()]
    except OSError:
        return False
    return any(target.is_relative_to(tempfile.gettempdir()) for target in held)
