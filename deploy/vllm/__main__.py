"""The command line of the local vLLM server: ``python -m deploy.vllm up``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.real_models import LANGUAGE_MODEL_NAME, RealModelUnavailable, fetch_language_model
from deploy.stack.cache import default_cache
from deploy.vllm.errors import VllmUnavailable
from deploy.vllm.server import ServedModel, VllmServer, down, find_server, is_healthy, up


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Return 0 when done, 1 on failure, 3 for ``status`` when the server does not answer."""
    chosen = _parser().parse_args(arguments)
    state = chosen.state or chosen.cache / "vllm" / ("real-server" if chosen.real else "server")
    try:
        return _run(chosen, state)
    except (VllmUnavailable, RealModelUnavailable) as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.vllm", description=__doc__)
    parser.add_argument(
        "--cache", type=Path, default=default_cache(), help="where vLLM is installed (default: %(default)s)"
    )
    parser.add_argument(
        "--state", type=Path, help="this server's directory (default: one per model in CACHE/vllm)"
    )
    parser.add_argument(
        "--real", action="store_true", help="serve SmolLM2-135M-Instruct, fetched if need be, not the tiny model"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    starts = commands.add_parser("up", help="install vLLM if need be, start it, and wait until it answers")
    starts.add_argument(
        "--max-model-len", type=int, default=4096, help="context in tokens (default: 4096); one byte each if tiny"
    )
    starts.add_argument("--port", type=int, help="(default: a free one)")
    commands.add_parser("down", help="stop the server")
    commands.add_parser("status", help="print whether it answers, and where")
    return parser


def _run(chosen: argparse.Namespace, state: Path) -> int:
    if chosen.command == "up":
        model = ServedModel(fetch_language_model(chosen.cache), LANGUAGE_MODEL_NAME) if chosen.real else None
        server = up(
            cache=chosen.cache, state=state, context_tokens=chosen.max_model_len, port=chosen.port, model=model
        )
        _show(server)
        print(f"use it:  export KASCRIBE_VLLM_BASE_URL={server.base_url}")
        return 0
    if chosen.command == "down":
        print("ended" if down(state) else "nothing was running")
        return 0
    known = find_server(state)
    if known is None or not known.is_alive:
        print("not running")
        return 3
    _show(known)
    return 0 if is_healthy(known) else 3


def _show(server: VllmServer) -> None:
    print(f"vllm {server.base_url}  {server.model}, {server.context_tokens} tokens, pid {server.process.pid}")
    print(f"log  {server.log}")


if __name__ == "__main__":
    sys.exit(main())
