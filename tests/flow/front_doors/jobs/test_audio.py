"""The recording of a job: whole, in parts, and why there is none."""

import socket
from typing import Final

from producers.gateway.jobs import listening
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import GatewayBench
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore
from tests.support.waiting import eventually

SECONDS: Final = 80
"""More than two parts, as they are read from the bucket."""


def test_a_recording_comes_back_as_it_was_sent_whole_or_in_ranges(bench: GatewayBench) -> None:
    """Its bytes, type and name, once the job is accepted; a browser may keep it, and can run nothing of it."""
    client = JobClient(bench.gateway().port)
    path = f"/v1/jobs/{client.submit(wav_bytes(SECONDS)).body['job_id']}/audio"
    answer = client.get(path)
    assert (answer.status, answer.content) == (200, wav_bytes(SECONDS))
    headers = answer.headers
    assert headers["content-type"] == "audio/wav"
    assert headers["content-length"] == str(len(answer.content))
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-disposition"] == "inline; filename=\"audio.wav\"; filename*=UTF-8''audio.wav"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["cache-control"] == "private, no-cache"
    again = client.get(path, if_none_match=headers["etag"])
    assert (again.status, again.content) == (304, b"")
    head = client.request("HEAD", path)
    assert (head.status, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))
    check_ranges(client, path)


def check_ranges(client: JobClient, path: str) -> None:
    """206 with the very bytes, 416 behind the end, the whole when the recording is another than If-Range names."""
    whole = client.get(path)
    size = len(whole.content)
    for wanted, first, last in [("0-9", 0, 9), (f"{size - 5}-", size - 5, size - 1), ("-7", size - 7, size - 1)]:
        part = client.get(path, range=f"bytes={wanted}", if_range=whole.headers["etag"])
        assert (part.status, part.content) == (206, whole.content[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert part.headers["content-length"] == str(len(part.content))
    refused = client.get(path, range=f"bytes={size}-")
    assert refused.refusal == (416, "range_not_satisfiable")
    assert refused.headers["content-range"] == f"bytes */{size}"
    other = client.get(path, range="bytes=0-9", if_range='"another"')
    assert (other.status, other.content) == (200, whole.content)
    assert client.get(path, range="bytes=0-1,4-5").content == whole.content
    edge = listening.PART_BYTES
    assert size > 2 * edge
    part = client.get(path, range=f"bytes={edge - 2}-{2 * edge + 1}")
    assert part.content == whole.content[edge - 2 : 2 * edge + 2]


def test_a_page_that_was_uploaded_is_bytes(bench: GatewayBench, store: ObjectStore) -> None:
    """What is no sound by its own word is not shown as what it says, and runs nothing; also before it is heard."""
    client = JobClient(bench.gateway().port)
    store.put(bench.settings.s3, "call.html", wav_bytes(1), content_type="text/html")
    uri = f"s3://{bench.settings.s3.bucket}/call.html"
    job_id = client.submit_json({"uri": uri}).body["job_id"]
    answer = client.get(f"/v1/jobs/{job_id}/audio")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_recording_that_left_the_bucket_is_not_found(bench: GatewayBench, store: ObjectStore) -> None:
    """404 says which object, and that the transcript stays; so for one that was replaced by another."""
    bench.start_transcriber()
    client = JobClient(bench.gateway().port)
    s3 = bench.settings.s3
    store.put(s3, "call.wav", wav_bytes(1))
    uri = f"s3://{s3.bucket}/call.wav"
    job_id = client.submit_json({"uri": uri}).body["job_id"]
    client.transcript(job_id)
    path = f"/v1/jobs/{job_id}/audio"
    assert client.get(path).status == 200
    store.put(s3, "call.wav", wav_bytes(2))
    replaced = client.get(path)
    assert replaced.refusal == (404, "audio_not_found")
    assert "was replaced" in replaced.body["error"]["message"]
    store.client.delete_object(Bucket=s3.bucket, Key="call.wav")
    gone = client.get(path)
    assert gone.refusal == (404, "audio_not_found")
    assert f"{uri} is no longer in the bucket" in gone.body["error"]["message"]
    assert client.request("HEAD", path).status == 404
    assert client.get(f"/v1/jobs/{job_id}/transcript").status == 200


def test_a_listener_that_leaves_frees_its_place(bench: GatewayBench) -> None:
    """Nothing of the rest is read for it; beyond the places, the next is refused before anything is read."""
    gateway = bench.gateway()
    client = JobClient(gateway.port)
    job_id = client.submit(wav_bytes(600)).body["job_id"]
    places = gateway.server.config.app.state.services.job_services.listening  # type: ignore[union-attr]
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(f"GET /v1/jobs/{job_id}/audio HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connection.recv(10) == b"HTTP/1.1 2"
        assert places.count == 1
    eventually(lambda: places.count == 0, timeout_seconds=10, what="the place of the listener")
    places.count = listening.LISTENER_LIMIT
    refused = client.get(f"/v1/jobs/{job_id}/audio")
    assert refused.refusal == (503, "crowded")
    assert refused.headers["retry-after"]
    places.count = 0
