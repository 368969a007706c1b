"""The gateway, as the tools of agents call it. Every failure is a sentence that says what to do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Any, BinaryIO, Final, Self
from urllib.parse import urlsplit

import httpx
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import ValidationError

from schemas.transcripts.transcript import Transcript

URL_NAME: Final = "KASCRIBE_URL"
KEY_NAME: Final = "KASCRIBE_API_KEY"
KEY_FILE_NAME: Final = "KASCRIBE_API_KEY_FILE"

DEFAULT_URL: Final = "http://localhost:8001"
TIMEOUT_SECONDS: Final = 30.0
"""Of a connect, a read or a write; the gateway answers everything that is asked here within it."""

BODY_LIMIT_BYTES: Final = 64 * 1024**2
"""A transcript of a whole day with the times of its words is smaller."""


@dataclass(frozen=True, slots=True)
class Address:
    """A gateway and the key for it; without a key, one that requires none."""

    url: str
    key: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether the gateway is on this machine, so that no proxy leads to it."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class Gateway:
    """Calls a gateway over HTTP. Methods raise ToolError."""

    def __init__(self, address: Address) -> None:
        self.address = address
        headers = {"Authorization": f"Bearer {address.key}"} if address.key else {}
        self._client = httpx.AsyncClient(
            base_url=address.url,
            headers={"User-Agent": "kascribe-mcp", **headers},
            timeout=TIMEOUT_SECONDS,
            trust_env=not address.is_loopback,
        )

    async def get(self, path: str, **parameters: object) -> dict[str, Any]:
        """Get one JSON object; parameters that are None are not sent."""
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return _object(await self._send("GET", path, params=given))

    async def transcript(self, job_id: str) -> Transcript:
        """Get the whole transcript of a job."""
        body = await self._send("GET", f"/v1/jobs/{job_id}/transcript", params={"as": "full"})
        try:
            return Transcript.model_validate_json(body)
        except ValidationError as error:
            raise ToolError("the gateway is of another release, whose transcripts cannot be read here") from error

    async def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Post a JSON object, and get one."""
        return _object(await self._send("POST", path, json=body))

    async def upload(self, path: str, name: str, file: BinaryIO, fields: Mapping[str, str]) -> dict[str, Any]:
        """Post a form with a file, and get a JSON object."""
        return _object(await self._send("POST", path, files={"file": (name, file)}, data=dict(fields)))

    async def close(self) -> None:
        """Close the connections. Safe to repeat."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, method: str, path: str, **content: Any) -> bytes:
        url = self.address.url
        try:
            async with self._client.stream(method, path, **content) as response:
                body = await _bounded(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            raise ToolError(
                f"no gateway answers at {url} ({error}): start `kascribe up` on this machine, or set {URL_NAME} "
                "in the configuration of this MCP server to the gateway's address"
            ) from error
        except httpx.TimeoutException as error:
            raise ToolError(
                f"the gateway at {url} did not answer within {TIMEOUT_SECONDS:.0f} s: try again"
            ) from error
        except httpx.HTTPError as error:
            raise ToolError(f"the gateway at {url} could not be called: {error}") from error
        if response.is_success:
            return body
        raise ToolError(self._refusal(response, body))

    def _refusal(self, response: httpx.Response, body: bytes) -> str:
        """Return what a refusal means, and what to do about it."""
        reason, message = _error_in(body)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            given = "refuses the API key" if self.address.key else "requires an API key"
            return (
                f"the gateway {given}: make one with `kascribe keys add NAME --right read` (and transcribe, "
                f"enrich), and set {KEY_NAME} or {KEY_FILE_NAME} in this MCP server's configuration"
            )
        if not reason:
            return (
                f"{self.address.url} answered {response.status_code}, not as a Kascribe gateway: check {URL_NAME}"
            )
        retry_after = response.headers.get("retry-after")
        again = f" (try again in {retry_after} s)" if retry_after else ""
        return f"{reason}: {message}{again}"


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > BODY_LIMIT_BYTES:
            raise ToolError(f"the gateway's answer is larger than {BODY_LIMIT_BYTES:,} bytes: ask for less")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ToolError(f"the answer is not that of a Kascribe gateway: check {URL_NAME}")
    return found


def _error_in(body: bytes) -> tuple[str, str]:
    try:
        error = _object(body)["error"]
        return str(error["reason"]), str(error["message"])
    except (ToolError, KeyError, TypeError):
        return "", ""
