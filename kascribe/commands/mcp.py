"""``kascribe mcp``: tools for agents, on standard input and output."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from kascribe.agents.gateway import Address

KEY_FILE_LIMIT_BYTES: Final = 4_096
PLAINTEXT_HOSTS: Final = "KASCRIBE_SECURITY_PLAINTEXT_HOSTS"


def mcp(
    url: Annotated[
        str | None,
        typer.Option(
            envvar="KASCRIBE_URL",
            help="The gateway's address; without it that of the running `kascribe up`, else http://localhost:8001.",
        ),
    ] = None,
    folder: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of which `transcribe` may upload files. May be repeated; without it, none."),
    ] = None,
) -> None:
    """Serve transcripts to agents (Model Context Protocol) on standard input and output.

    Started by an MCP client. The API key comes from KASCRIBE_API_KEY or the file that KASCRIBE_API_KEY_FILE names.

    Examples:
        $ kascribe mcp --folder ~/recordings
    """
    from kascribe.agents.server import mcp_server

    folders = [_checked(path.expanduser().absolute()) for path in folder or []]
    mcp_server(gateway_of(url), folders).run("stdio")


def gateway_of(url: str | None) -> "Address":
    """Return the gateway at the URL, or else this machine's, with the key. Raises ConfigurationError.

    A key that could be read on the way is refused.
    """
    from kascribe.agents.gateway import Address
    from schemas.settings.plain_secrets import exposed_to

    address = Address(_address(url), _key())
    refusal = exposed_to(address.url, "the API key", _plaintext_hosts()) if url and address.key else None
    if refusal:
        raise ConfigurationError(refusal)
    return address


def _plaintext_hosts() -> tuple[str, ...]:
    """Return the hosts of the variable: settings of roles are not loaded, as an agent's folder may have none."""
    from pydantic import ValidationError

    from schemas.settings.security import SecuritySettings

    given = [each.strip() for each in os.environ.get(PLAINTEXT_HOSTS, "").split(",") if each.strip()]
    try:
        return SecuritySettings(plaintext_hosts=tuple(given)).plaintext_hosts
    except ValidationError as error:
        raise ConfigurationError(f"{PLAINTEXT_HOSTS} should be hosts, as in gateway or *.example") from error


def _address(url: str | None) -> str:
    from kascribe.agents.gateway import DEFAULT_URL
    from kascribe.embedded.session import Session

    session = Session.current() if url is None else None
    found = url or (session and session.gateway_url) or DEFAULT_URL
    parts = urlsplit(found)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"KASCRIBE_URL is {found!r}, and not as in https://kascribe.example.org")
    return found.rstrip("/")


def _key() -> str | None:
    from kascribe.agents.gateway import KEY_FILE_NAME, KEY_NAME

    name = os.environ.get(KEY_FILE_NAME)
    if not name:
        return os.environ.get(KEY_NAME, "").strip() or None
    try:
        with Path(name).expanduser().open(encoding="utf-8") as file:
            return file.read(KEY_FILE_LIMIT_BYTES).strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{KEY_FILE_NAME} names {name}, which cannot be read") from error


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigurationError(f"--folder {folder} is not a directory")
    return folder
