"""``kascribe run``: one role, until SIGTERM."""

from typing import Annotated

import typer

from schemas.roles import Role


def run(role: Annotated[Role, typer.Argument(help="What this process does.")]) -> None:
    """Run a production role: transcriber, enricher or gateway."""
    from kascribe.configuration.reading import load
    from kascribe.process import logs

    settings = load().settings
    logs.configure_process(settings.log)
    if role is Role.TRANSCRIBER:
        from kascribe.wiring.transcriber import run_transcriber

        run_transcriber(settings)
    elif role is Role.ENRICHER:
        from kascribe.wiring.enricher import run_enricher

        run_enricher(settings)
    else:
        from kascribe.wiring.gateway import run_gateway

        run_gateway(settings)
