"""The command line: one file per command, errors as one sentence. Exit codes: 1 failed, 2 wrong usage."""

import difflib
import io
import logging
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from kascribe.commands import keys, webhooks
from kascribe.commands.archive.jobs import jobs
from kascribe.commands.archive.search import search
from kascribe.commands.archive.usage import usage
from kascribe.commands.benchmarking.bench import bench
from kascribe.commands.enriching.enrich import enrich
from kascribe.commands.installation import config, models
from kascribe.commands.installation.doctor import doctor
from kascribe.commands.installation.selftest import selftest
from kascribe.commands.installation.size import size
from kascribe.commands.mcp import mcp
from kascribe.commands.reconcile import reconcile
from kascribe.commands.records import dlq, results
from kascribe.commands.run import run
from kascribe.commands.transcripts.show import show
from kascribe.commands.transcripts.submit import submit
from kascribe.commands.transcripts.transcribe import transcribe
from kascribe.commands.transcripts.watch import watch
from kascribe.commands.up import up
from kascribe.configuration.sources import CONFIG_NAME
from kascribe.console import terminal
from kascribe.console.help import HelpfulGroup
from kascribe.process.command_lines import configure_command_lines
from kascribe.process.endings import ended_by_dead_threads, report_end
from kascribe.process.interruption import INTERRUPTED
from schemas.errors import ConfigurationError, KascribeError
from schemas.options.refused import REFUSED_OPTIONS

EXTRA_OF_MODULE: Final = {
    "ctranslate2": "transcriber",
    "faster_whisper": "transcriber",
    "av": "transcriber",
    "huggingface_hub": "transcriber",
    "numpy": "transcriber",
    "httpx": "enricher",
    "jsonschema": "enricher",
    "fastapi": "gateway",
    "uvicorn": "gateway",
    "alembic": "archive",
    "sqlalchemy": "archive",
    "mcp": "mcp",
    "watchfiles": "embedded",
}

_RECONCILER: Final = ("reconciler", "reconcile")
_NO_CHOICE: Final = re.compile(r"'([^']*)' is not one of (.*)", re.DOTALL)
_CHOICE: Final = re.compile(r"'([^']*)'")

app: Final = typer.Typer(cls=HelpfulGroup, no_args_is_help=True, pretty_exceptions_enable=False)
for command in (up, submit, watch, show, transcribe, enrich, run, reconcile, mcp, doctor, size, selftest, bench):
    app.command()(command)
for command in (jobs, search, usage):
    app.command()(command)
app.add_typer(models.app, name="models", help="Pull, list, verify and remove models.")
app.add_typer(dlq.app, name="dlq", help="List dead letters and send them back.")
app.add_typer(results.app, name="results", help="Publish finished jobs again.")
app.add_typer(keys.app, name="keys", help="Make, list and revoke API keys of the gateway.")
app.add_typer(webhooks.app, name="webhooks", help="Try a receiver of webhooks, and make a secret.")
app.add_typer(config.app, name="config", help="Show the settings.")


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.write(f"kascribe {version('kascribe')}")
        raise typer.Exit


@app.callback()
def options(
    config_file: Annotated[
        Path | None, typer.Option("--config", help="A TOML file of settings.", envvar=CONFIG_NAME)
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Event-driven speech-to-text over Kafka."""
    if config_file is not None:
        os.environ[CONFIG_NAME] = str(config_file)


def main() -> None:
    """Run the console script."""
    _prepare_output()
    try:
        with ended_by_dead_threads():
            sys.exit(app(prog_name="kascribe", standalone_mode=False))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except TyperException as error:
        # Help that stands in for a missing command has been printed already.
        _fail(_usage_problem(error), 2) if type(error).__name__ != "NoArgsIsHelpError" else sys.exit(2)
    except ConfigurationError as error:
        _fail(str(error), 2)
    except KascribeError as error:
        _fail(str(error), 1)
    except OSError as error:
        # A file or folder that cannot be read or written.
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except ModuleNotFoundError as error:
        extra = EXTRA_OF_MODULE.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        _fail(f"{error.name} is not installed: in a checkout, uv pip install -c requirements.lock '.[{extra}]'", 2)


def _prepare_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that cannot be encoded is shown as its bytes; it must not end the command.
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = lambda _kind, error, _trace: terminal.print_traceback(error)
    # The Kafka client's log lines belong to a role's log. A command prints one sentence instead.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    configure_command_lines()


def _usage_problem(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "kascribe"
    option = str(getattr(error, "option_name", None) or "").removeprefix("--").replace("-", "_")
    refused = f"; {REFUSED_OPTIONS[option]}" if option in REFUSED_OPTIONS else ""
    message = error.format_message().replace("Value error, ", "").removesuffix(".")
    return f"{message}{_nearest_choice(message, command)}{refused} (`{command} --help` shows what it takes)"


def _nearest_choice(message: str, command: str) -> str:
    """Return what a mistyped choice may have meant; empty when the message is about something else."""
    found = _NO_CHOICE.search(message)
    if found and command.endswith(" run") and found[1] in _RECONCILER:
        return ": the reconciler is `kascribe reconcile`"
    near = found and difflib.get_close_matches(found[1], _CHOICE.findall(found[2]), n=1, cutoff=0.5)
    return f": did you mean {near[0]}?" if near else ""


def _fail(sentence: str, exit_code: int) -> None:
    report_end(sentence)
    sys.exit(exit_code)
