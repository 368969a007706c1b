"""``kascribe run``: one role, until SIGTERM."""

from typing import Annotated

import typer

from schemas.errors import ConfigurationError
from schemas.roles import Role


def run(role: Annotated[Role, typer.Argument(help="What this process does.")]) -> None:
    """Run a production role: transcriber, enricher, gateway, archive or notifier.

    Examples:
        $ kascribe run transcriber
    """
    from kascribe.configuration.reading import load
    from kascribe.process import logs
    from kascribe.process.redaction import secrets_in
    from schemas.settings import LogSettings

    # Settings that cannot be read are a line of the log as well.
    logs.configure_process(LogSettings(), role=role)
    settings = load().settings
    logs.configure_process(settings.log, role=role, secrets=secrets_in(settings))
    if role is Role.TRANSCRIBER:
        from kascribe.wiring.transcriber import run_transcriber

        run_transcriber(settings)
    elif role is Role.ENRICHER:
        from kascribe.wiring.enricher import run_enricher

        run_enricher(settings)
    elif role is Role.NOTIFIER:
        from kascribe.wiring.notifier import run_notifier

        run_notifier(settings)
    elif role is Role.GATEWAY:
        from kascribe.wiring.gateway import run_gateway

        run_gateway(settings)
    elif role is Role.ARCHIVE:
        from kascribe.wiring.archive_role import run_archive

        run_archive(settings)
    else:
        raise ConfigurationError(f"this release cannot run the role {role}")
