"""Two tenants with keys at gateways on real sockets, before a real transcriber on an embedded broker."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from producers.api_keys.rights import Right
from producers.api_keys.store import ApiKeys
from tests.contract.access.key_suite import key_of
from tests.flow.gateway import Gateway, GatewayBench, Response, multipart
from tests.sound.wav_listener import wav_bytes

NOWHERE: Final = "0" * 32


@dataclass(frozen=True)
class Tenant:
    """A client with a key of its own."""

    name: str
    secret: str
    key_id: str
    gateway: Gateway

    @property
    def credential(self) -> dict[str, str]:
        """The header that carries the key."""
        return {"Authorization": f"Bearer {self.secret}"}

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send a request without a body."""
        return self.gateway.request(method, path, headers={**self.credential, **(headers or {})})

    def post(self, path: str, file: bytes, headers: Mapping[str, str] | None = None, **fields: str) -> Response:
        """Post a form with a file."""
        return self.gateway.post(path, file, headers={**self.credential, **(headers or {})}, **fields)

    def status_of(self, path: str, file: bytes, **fields: str) -> int:
        """Post a form with a file, and return the status alone: some answers are no JSON."""
        body, content_type = multipart(file, **fields)
        with self.opened("POST", path, body, {"Content-Type": content_type}) as answer:
            answer.read()
            return answer.status

    @contextmanager
    def opened(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and leave its answer open, as a stream is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
        try:
            connection.request(method, path, body, {**self.credential, **(headers or {})})
            yield connection.getresponse()
        finally:
            connection.close()

    def finished_job(self, idempotency_key: str = "call-7") -> str:
        """Transcribe a recording of one second under an idempotency key, and return the job's id."""
        answer = self.post("/transcribe", wav_bytes(1), {"Idempotency-Key": idempotency_key})
        assert answer.status == 200, answer
        return str(answer.body["job_id"])


def tenant(bench: GatewayBench, gateway: Gateway, name: str, **changed: object) -> Tenant:
    """Make a key for a tenant, with every right unless ``changed`` says so."""
    key = key_of(f"key-of-{name}", **{"tenant": name, "rights": tuple(Right), **changed})
    secret = ApiKeys(bench.settings.s3, client=bench.client).issue(key)
    return Tenant(name, secret, key.id, gateway)
