"""A small language model server over real sockets: the part of vLLM's API in use, and ways to misbehave.

It enforces its context (one byte is one token, as in the tiny model, unless ``bytes_per_token`` says otherwise),
answers schemas with values made from them, streams, and counts disconnects. Each chat or completion
request takes the next of ``faults``; after them, ``faults_by_name`` applies by the name in a request's id.
"""

import asyncio
import json
import random
import ssl
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.contract.http_double import chunk, error, read, send, send_json
from tests.contract.vllm.schema_values import value_of
from tests.contract.vllm.vllm_faults import ENDINGS, Fault, deltas, message

MODEL = "double"
TEMPLATE_TOKENS = 20
ENDLESS_BYTES = 17 * 1024**2
NO_SUCH_PATH = (404, {"detail": "Not Found"})


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The whole text that the model would get."""
        if "messages" in self.body:
            return "\n".join(each["content"] for each in self.body["messages"])
        return str(self.body.get("prompt", ""))

    @property
    def name(self) -> str:
        """The name in the request's id: a profile's name, ``notes`` or ``merge``."""
        return self.headers.get("x-request-id", "").partition(":")[2].partition(":")[0]


@dataclass
class VllmDouble:
    """One server. All attributes may be changed while it runs, from any thread."""

    context_tokens: int = 512
    has_chat: bool = True
    takes_system: bool = True
    counts_tokens: bool = True
    fixed_responses: dict[str, tuple[int, object]] = field(default_factory=dict)
    """By path; those under an empty path are for all other paths."""
    api_key: str | None = None
    forbidden: str | None = None
    healthy: bool = True
    stopped: bool = False
    text: str | None = None
    faults: deque[Fault] = field(default_factory=deque)
    always: Fault = Fault.NONE
    faults_by_name: dict[str, Fault] = field(default_factory=dict)
    bytes_per_token: int = 1
    base_url: str = ""
    requests: list[ReceivedRequest] = field(default_factory=list)
    disconnects: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    gate: threading.Event | None = None
    answer_seconds: float = 0.0
    """How long a completion takes at least."""
    _random: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def completion_requests(self) -> list[ReceivedRequest]:
        """The requests for completions, without probes."""
        paths = ("/v1/chat/completions", "/v1/completions")
        return [r for r in self.requests if r.path in paths and r.headers.get("x-request-id") != "probe"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, kept alive until either side ends it."""
        try:
            going_on = True
            while going_on:
                request = ReceivedRequest(*await read(reader))
                self.requests.append(request)
                going_on = await self._respond(request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _respond(
        self, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if self.stopped:
            return await self._hang(reader)
        if fixed := self.fixed_responses.get(request.path) or self.fixed_responses.get(""):
            return await send_json(writer, *fixed)
        if (early := self._without_work(request)) is not None:
            return await send(writer, *early)
        if request.path == "/v1/models":
            entry = {"id": MODEL, "max_model_len": self.context_tokens, "parent": None}
            return await send_json(writer, 200, {"object": "list", "data": [entry]})
        if request.path == "/tokenize":
            return await send_json(writer, *self._counted_tokens(request))
        if request.path not in ("/v1/chat/completions", "/v1/completions"):
            return await send_json(writer, *NO_SUCH_PATH)
        async with self._counted():
            return await self._complete(request, reader, writer)

    def _without_work(self, request: ReceivedRequest) -> tuple[int, bytes] | None:
        if request.path == "/health":
            return 200 if self.healthy else 503, b""
        if self.api_key and request.headers.get("authorization") != f"Bearer {self.api_key}":
            return 401, b'{"error":"Unauthorized"}'
        if self.forbidden and self.forbidden in request.prompt:
            return 403, b"<html>blocked by the firewall</html>"
        roles = {each["role"] for each in request.body.get("messages", ())}
        if "system" in roles and self.has_chat and not self.takes_system:
            return 400, json.dumps(error("System role not supported", None)).encode()
        return None

    def _counted_tokens(self, request: ReceivedRequest) -> tuple[int, object]:
        if not self.counts_tokens:
            return NO_SUCH_PATH
        if "messages" in request.body and not self.has_chat:
            return 400, error("the model has no chat template", None)
        return 200, {"count": self._tokens(request), "max_model_len": self.context_tokens}

    async def _complete(
        self, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if self.answer_seconds:
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=self.answer_seconds)
        while self.gate is not None and not self.gate.is_set():
            await asyncio.to_thread(self.gate.wait, 0.05)
        fault = self.faults.popleft() if self.faults else self.faults_by_name.get(request.name, self.always)
        if fault is Fault.HANG:
            return await self._hang(reader)
        if fault is Fault.DISCONNECT:
            return False
        if fault is Fault.BUSY or not self.healthy:
            return await send_json(writer, 503, error("queue overflow", None))
        if fault is Fault.ERROR:
            return await send_json(writer, 500, error("EngineCore encountered an issue", None))
        if fault is Fault.REFUSED:
            return await send_json(writer, 400, error("The provided JSON schema is not supported", None))
        if fault is Fault.GARBAGE:
            return await send(writer, 200, b"\xff\x00<html>not what you asked for")
        tokens = self._tokens(request)
        if fault is Fault.TOO_LONG or tokens > self.context_tokens:
            message = f"This model's maximum context length is {self.context_tokens} tokens."
            return await send_json(writer, 400, error(message, "input_tokens"))
        return await self._answer(request, tokens, fault, writer)

    async def _hang(self, reader: asyncio.StreamReader) -> bool:
        await reader.read(1)  # returns when the client disconnects; nothing else ends this
        self.disconnects += 1
        return False

    async def _answer(
        self, request: ReceivedRequest, tokens: int, fault: Fault, writer: asyncio.StreamWriter
    ) -> bool:
        body = request.body
        limit = self.bytes_per_token * min(
            int(body.get("max_completion_tokens") or body.get("max_tokens") or 10**9), self.context_tokens - tokens
        )
        text = self._text(body, fault)
        complete = len(text.encode()) <= limit and fault is not Fault.CUT_OFF_JSON
        text = text if complete else text[: min(limit, max(len(text) - 2, 0))]
        made = self._tokens_of(text)
        usage: dict[str, object] = {
            "prompt_tokens": tokens,
            "completion_tokens": made,
            "total_tokens": tokens + made,
        }
        if fault is Fault.NONSENSE_USAGE:
            usage["prompt_tokens"] = "many"
        finish = ENDINGS.get(fault, "stop" if complete else "length")
        if body.get("stream"):
            return await self._stream(request, text, finish, usage, fault, writer)
        content = {"message": message(text, fault)} if "messages" in body else {"text": text}
        choice = None if fault is Fault.NONSENSE else {"index": 0, "finish_reason": finish, **content}
        payload = {"model": MODEL, "choices": [choice], "usage": usage}
        if fault is Fault.ENDLESS:
            return await send(writer, 200, b" " * ENDLESS_BYTES)
        if fault is Fault.CUT_CONNECTION:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n" + json.dumps(payload).encode())
            await writer.drain()
            return False
        return await send_json(writer, 200, payload)

    async def _stream(
        self,
        request: ReceivedRequest,
        text: str,
        finish: str,
        usage: dict[str, object],
        fault: Fault,
        writer: asyncio.StreamWriter,
    ) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        if fault is Fault.ENDLESS:
            writer.write(b"data: " + b" " * ENDLESS_BYTES)
            await writer.drain()
            return False
        is_chat = "messages" in request.body
        for delta in deltas(text, fault):
            part = {"delta": delta} if is_chat else {"text": delta.get("content") or ""}
            choice = None if fault is Fault.NONSENSE else {"index": 0, "finish_reason": None, **part}
            writer.write(chunk({"choices": [choice], "error": None}))
            await writer.drain()
            if fault is Fault.CUT_CONNECTION and delta.get("content"):
                return False
        writer.write(chunk({"choices": [{"index": 0, "delta": {}, "text": "", "finish_reason": finish}]}))
        writer.write(chunk({"choices": [], "usage": usage}) + b"data: [DONE]\n\n")
        await writer.drain()
        return False

    def _text(self, body: dict[str, Any], fault: Fault) -> str:
        if self.text is not None:
            return self.text
        wanted = (body.get("response_format") or {}).get("json_schema")
        if wanted is None:
            return "plain words about what was said"
        if fault is Fault.WRONG_SHAPE:
            return '{"something": "else"}'
        value = json.dumps(value_of(wanted["schema"], self._random), ensure_ascii=False, separators=(",", ":"))
        return value.replace(" ", "\x01\n") if fault is Fault.CONTROL_CHARACTERS else value

    def _tokens(self, request: ReceivedRequest) -> int:
        return self._tokens_of(request.prompt) + (TEMPLATE_TOKENS if "messages" in request.body else 0)

    def _tokens_of(self, text: str) -> int:
        return -(-len(text.encode()) // self.bytes_per_token)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1


@contextmanager
def running(double: VllmDouble, *, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[VllmDouble]:
    """Run the double on a loopback port, in a thread of its own, until the context ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="vllm double", daemon=True)
    thread.start()
    starting = asyncio.start_server(double.serve, "127.0.0.1", port, ssl=tls)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result()
    double.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield double
    finally:
        asyncio.run_coroutine_threadsafe(_stopped(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stopped(server: asyncio.Server) -> None:
    server.close()
    connections = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
