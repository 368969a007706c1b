"""The page about agents names the tools, arguments and variables that there are."""

import json
import re
from pathlib import Path

import anyio

from kascribe.agents.gateway import KEY_FILE_NAME, KEY_NAME, URL_NAME, Address
from kascribe.agents.reading import PART_CHARACTERS
from kascribe.agents.server import mcp_server
from kascribe.agents.working import DEFAULT_WAIT_SECONDS
from kascribe.configuration.sources import OTHER_NAMES

PAGE = (Path(__file__).parents[3] / "docs" / "agents.md").read_text(encoding="utf-8")


def test_the_table_lists_every_tool_with_its_arguments() -> None:
    """In the order in which a client shows them."""
    tools = anyio.run(mcp_server(Address("http://localhost"), []).list_tools)
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    listed = {name: re.findall(r"`(\w+)`", arguments) for name, arguments in rows}
    assert listed == {tool.name: list(tool.input_schema["properties"]) for tool in tools}
    assert next(iter(listed)) == "list_jobs"


def test_examples_are_the_json_that_clients_read() -> None:
    """Each starts `kascribe mcp`, with variables that it reads."""
    examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    servers = [each["kascribe"] for example in examples for each in example.values()]
    assert len(servers) == 3
    for server in servers:
        assert (Path(server["command"]).name, server["args"][0]) == ("kascribe", "mcp")
        assert set(server.get("env", {})) <= {URL_NAME, KEY_NAME, KEY_FILE_NAME}


def test_variables_are_no_settings_of_roles() -> None:
    """A role that finds them in its environment starts all the same."""
    assert {URL_NAME, KEY_NAME, KEY_FILE_NAME} <= OTHER_NAMES


def test_limits_are_those_of_the_code() -> None:
    """The page and the tools promise the same."""
    assert f"{PART_CHARACTERS:,} characters" in PAGE
    assert f"wait {DEFAULT_WAIT_SECONDS} seconds" in PAGE
