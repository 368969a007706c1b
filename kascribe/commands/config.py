"""``kascribe config show``: what is in force, and who said it."""

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at the settings."""


@app.command()
def show() -> None:
    """Print every setting with its value and source; secrets are hidden."""
    from rich.console import Console
    from rich.table import Table

    from kascribe.commands.settings import client_settings
    from kascribe.configuration import describe

    table = Table("setting", "value", "source", box=None, pad_edge=False)
    for row in describe(client_settings()):
        style = "dim" if row.source == "default" else ""
        table.add_row(row.environment_name, row.value, row.source, style=style)
    Console(soft_wrap=True).print(table)
