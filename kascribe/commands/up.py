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
    from kascribe.embedded.stack import EmbeddedStack, Plan
    from schemas.settings import GatewaySettings, Settings

HOME_FOLDER: Final = Path.home() / "kascribe"


def up(
    drop: Annotated[Path, typer.Option(help="Files that land here are transcribed.")] = HOME_FOLDER / "drop",
    transcripts: Annotated[Path, typer.Option(help="Where transcripts are kept.")] = HOME_FOLDER / "transcripts",
    model: Annotated[str | None, typer.Option(help="A model's name or directory.")] = None,
    gateway: Annotated[bool, typer.Option(help="Also serve HTTP.")] = True,
    forget: Annotated[
        bool, typer.Option("--forget", help="First remove what earlier runs kept; files in --transcripts stay.")
    ] = False,
) -> None:
    """Run broker, object store, transcriber, archive, gateway and drop folder; Ctrl-C ends them all.

    Examples:
        $ kascribe up
        $ kascribe up --model small --drop ~/Recordings
    """
    from kascribe.configuration.reading import load
    from kascribe.console.board import Board
    from kascribe.embedded.model_choice import choose_model
    from kascribe.embedded.session import locked_session, state_directory
    from kascribe.embedded.stack import EmbeddedStack, Plan, forget_kept

    dropped, kept = drop.expanduser().absolute(), transcripts.expanduser().absolute()
    _refuse_nesting(dropped, kept)
    console = Screen()
    stop, at_once = threading.Event(), threading.Event()
    with locked_session(state_directory()) as lock:
        loaded = load(overrides={"whisper.model": model})
        settings = loaded.settings
        _refuse_transactions(settings)
        if gateway:
            _refuse_taken_port(settings.gateway)
        choice = choose_model(settings.whisper, console, is_named="whisper.model" in loaded.provenance)
        plan = Plan(
            model=choice.model,
            model_name=choice.name,
            directory=state_directory(),
            drop_directory=dropped,
            transcripts_directory=kept,
            roles=roles_of(settings, gateway=gateway),
        )
        _stop_on_signals(stop, at_once)
        if forget:
            forget_kept(state_directory())
        board = Board(console, beside=Screen(stderr=True))
        with EmbeddedStack(plan, settings, board) as stack, lock.announced(stack.session):
            console.print(Rule("Kascribe", style="yellow" if choice.is_selftest else "green"))
            # Not wrapped, so that paths and commands can be copied.
            console.print(_welcome(plan, choice, stack, settings.gateway), soft_wrap=True)
            board.start()
            try:
                stack.run(stop, at_once=at_once)
            finally:
                board.stop()


def roles_of(settings: "Settings", *, gateway: bool) -> tuple[Role, ...]:
    """Return the roles to run: the enricher with a language model, the notifier with a secret for webhooks."""
    webhooks = settings.webhooks
    is_signing = webhooks.secret is not None or any(tenant.secret for tenant in webhooks.tenants.values())
    wanted = {
        Role.TRANSCRIBER: True,
        Role.ENRICHER: settings.vllm.base_url is not None,
        Role.ARCHIVE: True,
        Role.NOTIFIER: is_signing,
        Role.GATEWAY: gateway,
    }
    return tuple(role for role, is_wanted in wanted.items() if is_wanted)


def _refuse_nesting(dropped: Path, kept: Path) -> None:
    one, other = dropped.resolve(), kept.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ConfigurationError(
            f"--drop {dropped} and --transcripts {kept} lie in each other, so transcripts would be submitted as "
            "audio: give each a folder of its own"
        )


def _refuse_transactions(settings: "Settings") -> None:
    """Raise ConfigurationError for ``exactly_once``: the embedded broker forgets offsets of transactions."""
    if settings.runtime.delivery != "at_least_once":
        raise ConfigurationError(
            "the embedded broker has no transactions. Unset KASCRIBE_RUNTIME_DELIVERY, "
            "or use Kafka: `make stack`, or `kascribe run` with your own"
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


def _welcome(plan: "Plan", choice: "ModelChoice", stack: "EmbeddedStack", gateway: "GatewaySettings") -> Text:
    from rich.filesize import decimal

    from schemas.settings.gateway import OPEN_GATEWAY

    session, size = stack.session, decimal(stack.kept.size_bytes)
    lines = [
        Text.assemble("drop audio or video into  ", (str(plan.drop_directory), "bold")),
        Text.assemble("transcripts are kept in   ", (str(plan.transcripts_directory), "bold")),
        Text(),
        Text.assemble(f"model        {choice.name}  ", (choice.why, "dim")),
        Text.assemble(
            f"broker       {session.bootstrap_servers}  ", ("in this process: topics end with it", "dim")
        ),
        Text(f"objects      {session.s3_endpoint_url}  bucket {session.bucket}"),
        Text.assemble(
            f"kept         {plan.directory}  {size} so far  ", ("kascribe up --forget removes it", "dim")
        ),
    ]
    if Role.GATEWAY in plan.roles:
        key = "" if gateway.keys == "off" else "-H 'Authorization: Bearer kas_…' "
        lines.append(Text(f"page         {session.gateway_url}/"))
        lines.append(Text(f'HTTP         curl {key}-F "file=@audio.wav" {session.gateway_url}/transcribe'))
        lines.append(Text(f"             {session.gateway_url}/docs describes every request"))
        if gateway.is_open:
            lines.append(Text(f"warning      {OPEN_GATEWAY.format(host=gateway.host)}", "bold red"))
    if Role.ENRICHER not in plan.roles:
        lines.append(Text("enrichment   off: set KASCRIBE_VLLM_BASE_URL to a vLLM server", "dim"))
    lines += [
        Text(),
        Text("in another terminal: kascribe submit FILE · kascribe watch · kascribe jobs · kascribe search WORDS"),
    ]
    return Text("\n").join(lines)
