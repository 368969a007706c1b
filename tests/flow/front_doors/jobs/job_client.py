"""A client of ``/v1/jobs``, whose answers need not be JSON."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.flow.gateway import multipart
from tests.support.waiting import eventually

FINISH_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; the headers' names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object."""
        found: dict[str, Any] = json.loads(self.content)
        return found

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and the reason of a failure."""
        body = self.body
        assert body["success"] is False, body
        assert body["error"]["message"]
        return self.status, body["error"]["reason"]


class JobClient:
    """A client of a gateway on loopback. Safe between threads."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and return the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())
        finally:
            connection.close()

    def submit(self, file: bytes | None, *, key: str | None = None, **fields: str) -> Answer:
        """Submit a file, as ``curl -F`` sends it."""
        body, content_type = multipart(file, **fields)
        return self.request("POST", "/v1/jobs", body, {"Content-Type": content_type, **_named(key)})

    def submit_json(self, body: object, *, key: str | None = None) -> Answer:
        """Submit a request that names an object."""
        headers = {"Content-Type": "application/json", **_named(key)}
        return self.request("POST", "/v1/jobs", json.dumps(body).encode(), headers)

    def post_json(self, path: str, body: object) -> Answer:
        """Post JSON."""
        return self.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def get(self, path: str, **headers: str) -> Answer:
        """Get a resource; ``if_none_match`` is the header of that name."""
        return self.request(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def delete(self, job_id: str) -> Answer:
        """Cancel or delete a job."""
        return self.request("DELETE", f"/v1/jobs/{job_id}")

    def transcript(self, job_id: str, wanted: str = "full") -> Answer:
        """Read a transcript once it is there."""
        path = f"/v1/jobs/{job_id}/transcript?as={wanted}"

        def found() -> Answer | None:
            answer = self.get(path)
            return None if answer.status == 409 and answer.refusal[1] == "not_finished" else answer

        answer = eventually(found, timeout_seconds=FINISH_SECONDS, what=f"the transcript of {job_id}")
        assert answer is not None
        return answer


def _named(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key} if key else {}
