"""Start and stop of the local server. ``server.json`` beside its log records its process."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from deploy.stack.cache import LOG_TAIL_LINES, locked
from deploy.stack.processes import Process, end, is_alive, start
from deploy.stack.state import LOOPBACK, free_port, replace_file
from deploy.vllm.errors import VllmUnavailable, as_vllm_unavailable
from deploy.vllm.installation import Report, prepare
from deploy.vllm.model import MODEL_NAME, write_model
from deploy.vllm.session import session_members

READY_TIMEOUT_SECONDS: Final = 600.0  # 20 to 40 s on two idle cores, 140 s measured on two busy ones
GRACE_SECONDS: Final = 15.0
SEQUENCES: Final = 16
KV_BLOCK_TOKENS: Final = 128
_POLL_SECONDS: Final = 0.25
_INHERITED_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "OMP_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model's directory, and the name under which it is served."""

    directory: Path
    name: str


@dataclass(frozen=True, slots=True)
class VllmServer:
    """A server that answers at ``base_url``. ``context_tokens`` is its --max-model-len."""

    base_url: str
    model: str
    context_tokens: int
    log: str
    process: Process

    @property
    def is_alive(self) -> bool:
        """True while the started process runs."""
        return is_alive(self.process)

    @property
    def processes(self) -> list[Process]:
        """Its running processes, workers included."""
        return session_members(self.process, Path(self.log))


def up(
    *,
    cache: Path,
    state: Path,
    context_tokens: int = 512,
    port: int | None = None,
    model: ServedModel | None = None,
    options: Sequence[str] = (),
    report: Report = print,
) -> VllmServer:
    """Start a server and return it when it is ready: the one of ``state`` if it is alive, else a new one.

    Installs vLLM first if necessary; blocks until the server answers. ``model`` is the tiny one unless given;
    ``options`` are appended to vLLM's command line. Raises VllmUnavailable.
    """
    python = prepare(cache, report=report)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(state / "lock"):
        model = model or ServedModel(write_model(cache / "vllm" / "model"), MODEL_NAME)
        known = find_server(state)
        if known and known.is_alive and (known.context_tokens, known.model) == (context_tokens, model.name):
            return known
        if known:
            _stop(known, state)
        server = _start(python, model, state, context_tokens=context_tokens, port=port, options=options)
        _wait_until_ready(server, state)
        return server


def find_server(state: Path) -> VllmServer | None:
    """Return the server that was started in ``state`` and not stopped; it may have died since.

    Raises VllmUnavailable when its record is damaged.
    """
    try:
        stored = json.loads((state / "server.json").read_text(encoding="utf-8"))
        return VllmServer(process=Process(**stored.pop("process")), **stored)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as damaged:
        raise VllmUnavailable(f"{state}/server.json is damaged: end its process and remove it") from damaged


def down(state: Path) -> bool:
    """Stop what ``up`` started, and nothing else. Return False when there was nothing. Safe to repeat."""
    known = find_server(state)
    if known is None:
        return False
    with locked(state / "lock"):
        _stop(known, state)
    return True


def is_healthy(server: VllmServer) -> bool:
    """Return whether the server answers ``/health``. Blocks for two seconds at most."""
    try:
        with urllib.request.urlopen(f"{server.base_url}/health", timeout=2) as answer:  # noqa: S310 (loopback http)
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _start(
    python: Path, model: ServedModel, state: Path, *, context_tokens: int, port: int | None, options: Sequence[str]
) -> VllmServer:
    with as_vllm_unavailable(), ExitStack() as held:
        port = port or free_port(held)
    log = state / "server.log"
    log.write_bytes(b"")
    environment = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ} | {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CACHE_ROOT": str(state / "cache"),
        "VLLM_HOST_IP": LOOPBACK,
        "VLLM_LOOPBACK_IP": LOOPBACK,
        "GLOO_SOCKET_IFNAME": "lo",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(state / "cache" / "huggingface"),
    }
    command = [
        str(python),
        "-m",
        "vllm.entrypoints.openai.api_server",
        *_arguments(model, port, context_tokens),
        *options,
    ]
    with as_vllm_unavailable():
        process = start(command, log=log, environment=environment)
    server = VllmServer(f"http://{LOOPBACK}:{port}", model.name, context_tokens, str(log), process)
    replace_file(state / "server.json", json.dumps(asdict(server), indent=2))
    return server


def _arguments(model: ServedModel, port: int, context_tokens: int) -> list[str]:
    blocks = max(128, SEQUENCES * -(-context_tokens // KV_BLOCK_TOKENS))
    return [
        *("--model", str(model.directory), "--served-model-name", model.name),
        *("--host", LOOPBACK, "--port", str(port)),
        *("--max-model-len", str(context_tokens), "--dtype", "float32", "--enforce-eager"),
        *("--max-num-seqs", str(SEQUENCES), "--max-num-batched-tokens", str(SEQUENCES * context_tokens)),
        *("--num-gpu-blocks-override", str(blocks), "--enable-prompt-tokens-details"),
        *("--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}'),
    ]


def _wait_until_ready(server: VllmServer, state: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while not is_healthy(server):
        if not server.is_alive or time.monotonic() > deadline:
            what = "ended" if not server.is_alive else f"was not ready after {READY_TIMEOUT_SECONDS:.0f} s"
            tail = "\n".join(
                Path(server.log).read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
            )
            _stop(server, state)
            raise VllmUnavailable(f"the vLLM server {what}; the end of {server.log}:\n{tail}")
        time.sleep(_POLL_SECONDS)


def _stop(server: VllmServer, state: Path) -> None:
    end([server.process], grace_seconds=GRACE_SECONDS)
    end(server.processes, grace_seconds=0)  # workers that a killed or hung parent left
    (state / "server.json").unlink(missing_ok=True)
