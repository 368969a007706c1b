"""A proxy in front of the server that keeps every completion as the model gave it.

It stands outside the product, so it sees the same for every revision: what was sent as a schema, what came back,
and how many tokens the server counted. It also bounds the requests that the server has at once.
"""

import json
import re
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

import httpx

COMPLETION_PATHS: Final = ("/v1/chat/completions", "/v1/completions")
FORWARDED_HEADERS: Final = ("authorization", "content-type", "x-request-id")

_FENCE: Final = re.compile(r"^={5}(\w+)={5}$", re.MULTILINE)

Exchange = dict[str, Any]
"""One completion: the request's name, schema, limits and fence word; the answer's text, tokens and seconds."""


class Recorder:
    """A proxy on a loopback port, from ``with`` to its end. Streams are passed on when they are complete."""

    def __init__(self, upstream: str, *, at_once: int, timeout_seconds: float) -> None:
        self._upstream = upstream.rstrip("/")
        self._slots = threading.Semaphore(at_once)
        self._client = httpx.Client(timeout=timeout_seconds, limits=httpx.Limits(max_connections=None))
        self._lock = threading.Lock()
        self._exchanges: dict[str, list[Exchange]] = defaultdict(list)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._client.close()

    def take(self, job_id: str) -> list[Exchange]:
        """Return the completions of a job, in the order of their ends, and forget them."""
        with self._lock:
            return self._exchanges.pop(job_id, [])

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """Pass a request on, and keep it if it is a completion. Blocks. Raises httpx.HTTPError."""
        if path not in COMPLETION_PATHS:
            return self._client.request(method, self._upstream + path, headers=headers, content=body)
        with self._slots:
            started = time.monotonic()
            response = self._client.request(method, self._upstream + path, headers=headers, content=body)
            seconds = time.monotonic() - started
        job_id, _, rest = headers.get("x-request-id", "").partition(":")
        exchange = exchange_of(json.loads(body), response) | {"name": rest.partition(":")[0], "seconds": seconds}
        with self._lock:
            self._exchanges[job_id].append(exchange)
        return response


def exchange_of(body: dict[str, Any], response: httpx.Response) -> Exchange:
    """Return what the judging needs of a request and its response."""
    prompt = "\n".join(message["content"] for message in body.get("messages", ())) or str(body.get("prompt", ""))
    fence = _FENCE.search(prompt)
    sent = {
        "schema": body.get("response_format", {}).get("json_schema", {}).get("schema"),
        "limit_tokens": body.get("max_completion_tokens", body.get("max_tokens")),
        "sampling": {key: body[key] for key in ("temperature", "frequency_penalty") if key in body},
        "fence": fence[1] if fence else None,
        "status": response.status_code,
    }
    if response.status_code != httpx.codes.OK:
        return sent | {"text": None, "finish_reason": None, "prompt_tokens": 0, "completion_tokens": 0}
    is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
    return sent | (_of_stream(response.text) if is_stream else _of_payload(response.json()))


def _of_payload(payload: dict[str, Any]) -> Exchange:
    choice = payload["choices"][0]
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    return {"text": text or "", "finish_reason": choice["finish_reason"]} | _tokens(payload)


def _of_stream(text: str) -> Exchange:
    found: Exchange = {"text": "", "finish_reason": None, "prompt_tokens": 0, "completion_tokens": 0}
    for line in text.split("\n"):
        if not line.startswith("data: {"):
            continue
        payload = json.loads(line.removeprefix("data: "))
        for choice in payload.get("choices", ()):
            found["text"] += choice.get("delta", {}).get("content") or choice.get("text") or ""
            found["finish_reason"] = choice.get("finish_reason") or found["finish_reason"]
        if payload.get("usage"):
            found |= _tokens(payload)
    return found


def _tokens(payload: dict[str, Any]) -> dict[str, int]:
    usage = payload.get("usage") or {}
    return {key: int(usage.get(key) or 0) for key in ("prompt_tokens", "completion_tokens")}


def _handler_of(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {key: self.headers[key] for key in FORWARDED_HEADERS if key in self.headers}
            try:
                response = recorder.forward(self.command, self.path, headers, body)
                status, content, kind = (
                    response.status_code,
                    response.content,
                    response.headers.get("content-type"),
                )
            except httpx.HTTPError as error:
                status, content, kind = httpx.codes.BAD_GATEWAY, str(error).encode(), "text/plain"
            self.send_response(status)
            self.send_header("content-type", kind or "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
