"""``kascribe up``: the whole system in one process tree."""

import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.rule import Rule
from rich.text import Text

from kascribe.console.terminal import Screen
from schemas.errors import ConfigurationError
from schemas.roles import Role

if TYPE_CHECKING:
    from kascribe.embedded.model_choice import ModelChoice
    from kascribe.embedded.session import Session
    from kascribe.embedded.stack import Plan
    from schemas.settings import GatewaySettings

HOME_FOLDER: Final = Path.home() / "kascribe"


def up(
    drop: Annotated[Path, typer.Option(help="Files that land here are transcribed.")] = HOME_FOLDER / "drop",
    transcripts: Annotated[Path, typer.Option(help="Where transcripts are kept.")] = HOME_FOLDER / "transcripts",
    model: Annotated[str | None, typer.Option(help="A model's name or directory.")] = None,
    gateway: Annotated[bool, typer.Option(help="Also serve HTTP.")] = True,
) -> None:
    """Run broker, object store, transcriber, gateway and drop folder; Ctrl-C ends them all."""
    from kascribe.configuration.reading import load
    from kascribe.console.board import Board
    from kascribe.embedded.model_choice import choose_model
    from kascribe.embedded.session import locked_session, state_directory
    from kascribe.embedded.stack import EmbeddedStack, Plan

    dropped, kept = drop.expanduser().absolute(), transcripts.expanduser().absolute()
    _refuse_nesting(dropped, kept)
    console = Screen()
    stop, at_once = threading.Event(), threading.Event()
    with locked_session(state_directory()) as lock:
        loaded = load(overrides={"whisper.model": model})
        settings = loaded.settings
        if gateway:
            _refuse_taken_port(settings.gateway)
        choice = choose_model(settings.whisper, console, is_named="whisper.model" in loaded.provenance)
        enricher = (Role.ENRICHER,) if settings.vllm.base_url else ()
        plan = Plan(
            model=choice.model,
            model_name=choice.name,
            directory=state_directory(),
            drop_directory=dropped,
            transcripts_directory=kept,
            roles=(Role.TRANSCRIBER, *enricher, *((Role.GATEWAY,) if gateway else ())),
        )
        _stop_on_signals(stop, at_once)
        board = Board(console, beside=Screen(stderr=True))
        with EmbeddedStack(plan, settings, board) as stack, lock.announced(stack.session):
            console.print(Rule("Kascribe", style="yellow" if choice.is_selftest else "green"))
            # Not wrapped, so that paths and commands can be copied.
            console.print(_welcome(plan, choice, stack.session), soft_wrap=True)
            board.start()
            try:
                stack.run(stop, at_once=at_once)
            finally:
                board.stop()


def _refuse_nesting(dropped: Path, kept: Path) -> None:
    one, other = dropped.resolve(), kept.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ConfigurationError(
            f"--drop {dropped} and --transcripts {kept} lie in each other, so transcripts would be submitted as "
            "audio: give each a folder of its own"
        )


def _refuse_taken_port(gateway: "GatewaySettings") -> None:
    """Probe the gateway's port before anything is started. Raises ConfigurationError for one in use."""
    family = socket.AF_INET6 if ":" in gateway.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((gateway.host, gateway.port))
        except OSError as error:
            raise ConfigurationError(
                f"the gateway cannot listen on {gateway.host}:{gateway.port}: {error.strerror}. End what uses "
                "that port, set KASCRIBE_GATEWAY_PORT to a free one, or use --no-gateway"
            ) from error


def _stop_on_signals(stop: threading.Event, at_once: threading.Event) -> None:
    def handle(*_: object) -> None:
        (at_once if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, handle)


def _welcome(plan: "Plan", choice: "ModelChoice", session: "Session") -> Text:
    lines = [
        Text.assemble("drop audio or video into  ", (str(plan.drop_directory), "bold")),
        Text.assemble("transcripts are kept in   ", (str(plan.transcripts_directory), "bold")),
        Text(),
        Text.assemble(f"model        {choice.name}  ", (choice.why, "dim")),
        Text.assemble(
            f"broker       {session.bootstrap_servers}  ", ("in this process: topics end with it", "dim")
        ),
        Text.assemble(
            f"objects      {session.s3_endpoint_url}  bucket {session.bucket}  ", ("on disk, until it ends", "dim")
        ),
    ]
    if Role.GATEWAY in plan.roles:
        lines.append(Text(f'HTTP         curl -F "file=@audio.wav" {session.gateway_url}/transcribe'))
    if Role.ENRICHER not in plan.roles:
        lines.append(Text("enrichment   off: set KASCRIBE_VLLM_BASE_URL to a vLLM server", "dim"))
    lines += [
        Text(),
        Text("in another terminal: kascribe submit FILE · kascribe watch · kascribe show JOB"),
    ]
    return Text("\n").join(lines)
