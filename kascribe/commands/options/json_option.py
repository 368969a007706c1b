"""The option ``--json`` of a command, which documents the fields of its lines."""

from typing import Any

import typer
from pydantic import BaseModel


def json_option(row: type[BaseModel], what: str) -> Any:
    """Return the option of a command that prints one ``row`` for each ``what``."""
    fields = ", ".join(row.model_fields)
    return typer.Option("--json", help=f"One line of JSON for each {what}: {fields}.", rich_help_panel="Output")
