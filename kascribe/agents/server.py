"""The MCP server of ``kascribe mcp``: tools in front of a gateway, over standard input and output."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

from kascribe.agents.answers import DATA_NOTICE
from kascribe.agents.folders import Folders
from kascribe.agents.gateway import Address, Gateway
from kascribe.agents.reading import ReadingTools
from kascribe.agents.working import WorkingTools

INSTRUCTIONS: Final = (
    "Kascribe transcribes recordings of speech. Find recordings with search (what was said) or list_jobs (by "
    "time, name and state), read them with transcript, and cite the times. transcribe makes a transcript of a "
    f"file that the user named; enrich has a language model summarise one. {DATA_NOTICE}"
)

READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
TRANSCRIBES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
ENRICHES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)


def mcp_server(address: Address, folders: Sequence[Path]) -> MCPServer[None]:
    """Build the server; ``folders`` are those of which it may upload files."""
    gateway = Gateway(address)
    reading, working = ReadingTools(gateway), WorkingTools(gateway, Folders([path.resolve() for path in folders]))

    @asynccontextmanager
    async def closing_gateway(_: MCPServer[None]) -> AsyncIterator[None]:
        async with gateway:
            yield

    server: MCPServer[None] = MCPServer(
        "kascribe",
        title="Kascribe",
        instructions=INSTRUCTIONS,
        version=version("kascribe"),
        log_level="WARNING",
        lifespan=closing_gateway,
    )
    tools: dict[Callable[..., Any], tuple[str, ToolAnnotations]] = {
        reading.list_jobs: ("List recordings", READS),
        reading.job: ("State of a job", READS),
        reading.search: ("Search recordings", READS),
        reading.transcript: ("Read a transcript", READS),
        reading.enrichments: ("Read summaries and answers", READS),
        working.enrich: ("Summarise a recording", ENRICHES),
        working.transcribe: ("Transcribe a recording", TRANSCRIBES),
    }
    for tool, (title, annotations) in tools.items():
        server.add_tool(tool, title=title, annotations=annotations, structured_output=True)
    return server
