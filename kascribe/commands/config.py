"""``kascribe config show``: the effective settings, each with its source."""

from typing import Final

import typer

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Show the settings."""


@app.command()
def show() -> None:
    """Print every setting with its value and source; secrets are hidden."""
    from rich.table import Table

    from kascribe.commands.settings import client_settings
    from kascribe.configuration.reading import describe
    from kascribe.console.terminal import Screen, print_table

    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "source"):
        table.add_column(heading, no_wrap=True)
    for row in describe(client_settings()):
        style = "dim" if row.source == "default" else ""
        table.add_row(row.environment_name, row.value, row.source, style=style)
    print_table(Screen(), table)
