"""``kascribe up``: the whole system in one process tree."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

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
    from kascribe.embedded.session import Session, state_directory
    from kascribe.embedded.stack import EmbeddedStack, Plan
    from kascribe.wiring.model_choice import choose_model
    from schemas.errors import ConfigurationError

    console = Console()
    running = Session.current()
    if running is not None:
        raise ConfigurationError(f"an embedded stack runs already (process {running.pid}): stop that one first")
    settings = load(overrides={"whisper.model": model}).settings
    choice = choose_model(settings.whisper, console)
    enricher = ("enricher",) if settings.vllm.base_url else ()
    plan = Plan(
        model=choice.model,
        model_name=choice.name,
        directory=state_directory(),
        drop_directory=drop.expanduser().absolute(),
        transcripts_directory=transcripts.expanduser().absolute(),
        roles=("transcriber", *enricher, *(("gateway",) if gateway else ())),
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    board = Board(console)
    with EmbeddedStack(plan, settings, board) as stack:
        console.print(_welcome(plan, choice, stack.session))
        board.start()
        try:
            stack.run(stop)
        finally:
            board.stop()
            console.print("Draining what is in flight. Topics end with this process; transcripts stay.")


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
