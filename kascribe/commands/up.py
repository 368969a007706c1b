"""``kascribe up``: the whole system in one process tree."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from kascribe.embedded.session import Session
    from kascribe.embedded.stack import Plan
    from kascribe.wiring.model_choice import ModelChoice

HOME_FOLDER = Path.home() / "kascribe"


def up(
    drop: Annotated[Path, typer.Option(help="Files that land here are transcribed.")] = HOME_FOLDER / "drop",
    transcripts: Annotated[Path, typer.Option(help="Where transcripts are kept.")] = HOME_FOLDER / "transcripts",
    model: Annotated[str | None, typer.Option(help="A model's name or directory.")] = None,
    gateway: Annotated[bool, typer.Option(help="Also serve HTTP.")] = True,
) -> None:
    """Run broker, object store, transcriber, gateway and drop folder; Ctrl-C ends them all."""
    from kascribe.board import Board
    from kascribe.configuration import load
    from kascribe.embedded.session import claimed, state_directory
    from kascribe.embedded.stack import EmbeddedStack, Plan
    from kascribe.wiring.model_choice import choose_model

    dropped, kept = drop.expanduser().absolute(), transcripts.expanduser().absolute()
    _refuse_nesting(dropped, kept)
    console = Console()
    stop, at_once = threading.Event(), threading.Event()
    with claimed(state_directory()) as claim:
        loaded = load(overrides={"whisper.model": model})
        settings = loaded.settings
        choice = choose_model(settings.whisper, console, is_named="whisper.model" in loaded.provenance)
        enricher = ("enricher",) if settings.vllm.base_url else ()
        plan = Plan(
            model=choice.model,
            model_name=choice.name,
            directory=state_directory(),
            drop_directory=dropped,
            transcripts_directory=kept,
            roles=("transcriber", *enricher, *(("gateway",) if gateway else ())),
        )
        _stop_on_signals(stop, at_once)
        board = Board(console)
        with EmbeddedStack(plan, settings, board) as stack, claim.announced(stack.session):
            console.print(_welcome(plan, choice, stack.session))
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


def _stop_on_signals(stop: threading.Event, at_once: threading.Event) -> None:
    def handle(*_: object) -> None:
        (at_once if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, handle)


def _welcome(plan: "Plan", choice: "ModelChoice", session: "Session") -> Panel:
    lines = [
        f"drop audio or video into  [bold]{escape(str(plan.drop_directory))}[/]",
        f"transcripts are kept in   [bold]{escape(str(plan.transcripts_directory))}[/]",
        "",
        f"model        {escape(choice.name)}  [dim]{escape(choice.why)}[/]",
        f"broker       {session.bootstrap_servers}  [dim]inside this process: topics end with it[/]",
        f"objects      {session.s3_endpoint_url}  bucket {escape(session.bucket)}  [dim]in memory[/]",
    ]
    if "gateway" in plan.roles:
        lines.append(f'HTTP         curl -F "file=@audio.wav" {session.gateway_url}/transcribe')
    if "enricher" not in plan.roles:
        lines.append("[dim]enrichment   off: set KASCRIBE_VLLM_BASE_URL to a vLLM server[/]")
    lines += ["", "in another terminal: kascribe submit FILE · kascribe watch · kascribe show JOB --as srt"]
    return Panel("\n".join(lines), title="Kascribe", border_style="yellow" if choice.is_selftest else "green")
