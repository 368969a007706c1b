"""An agent: the protocol's own client, and a ``kascribe mcp`` process that it starts."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent, Tool

CALL_TIMEOUT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Called:
    """What a tool answered."""

    result: CallToolResult

    @property
    def body(self) -> dict[str, Any]:
        """The structured answer, which the text repeats for clients that do not read it."""
        assert not self.result.is_error, self.text
        body = self.result.structured_content
        assert isinstance(body, dict)
        assert json.loads(self.text) == body
        return body

    @property
    def error(self) -> str:
        """What the model is told of a failure."""
        assert self.result.is_error, self.text
        return self.text

    @property
    def text(self) -> str:
        """The text of the answer."""
        (content,) = self.result.content
        assert isinstance(content, TextContent)
        return content.text


@dataclass
class Agent:
    """A connected client. ``progress`` are the fractions and messages that it was told of."""

    client: Client
    progress: list[tuple[float, str | None]] = field(default_factory=list)

    async def call(self, tool: str, **arguments: object) -> Called:
        """Call a tool."""

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            assert total == 1.0
            self.progress.append((progress, message))

        return Called(
            await self.client.call_tool(
                tool, arguments, read_timeout_seconds=CALL_TIMEOUT_SECONDS, progress_callback=on_progress
            )
        )

    async def tools(self) -> list[Tool]:
        """List the tools."""
        return (await self.client.list_tools()).tools


def with_agent(
    url: str,
    act: Callable[[Agent], Awaitable[None]],
    *,
    key: str | None = None,
    folders: Sequence[Path] = (),
    environment: dict[str, str] | None = None,
) -> None:
    """Start ``kascribe mcp``, act as its client, and end it as clients do: by closing its input."""
    arguments = ["-m", "kascribe", "mcp", *(f"--folder={folder}" for folder in folders)]
    server = StdioServerParameters(
        command=sys.executable,
        args=arguments,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(Path.cwd()),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "KASCRIBE_URL": url,
            **({"KASCRIBE_API_KEY": key} if key else {}),
            **(environment or {}),
        },
    )

    async def connect() -> None:
        async with Client(server) as client:
            await act(Agent(client))

    anyio.run(connect)
