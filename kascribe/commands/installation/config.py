"""``kascribe config show``: the effective settings, each with its source."""

from typing import Annotated, Final

import typer
from pydantic import BaseModel, ConfigDict

from kascribe.commands.options.json_option import json_option

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Show the settings."""


class SettingRow(BaseModel):
    """One setting: its variable, its value as text (secrets are hidden), and where it was set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: str
    source: str


@app.command()
def show(as_json: Annotated[bool, json_option(SettingRow, "setting")] = False) -> None:
    """Print every setting with its value and source; secrets are hidden.

    Examples:
        $ kascribe config show
        $ kascribe config show --json | jq -r 'select(.source != "default") | .name'
    """
    from rich.table import Table

    from kascribe.commands.settings import client_settings
    from kascribe.configuration.reading import describe
    from kascribe.console.terminal import Screen, print_table, write_json

    if as_json:
        for row in describe(client_settings()):
            write_json(SettingRow(name=row.environment_name, value=row.value, source=row.source))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "source"):
        table.add_column(heading, no_wrap=True)
    for row in describe(client_settings()):
        style = "dim" if row.source == "default" else ""
        table.add_row(row.environment_name, row.value, row.source, style=style)
    print_table(Screen(), table)
