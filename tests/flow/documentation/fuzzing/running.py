"""One run of schemathesis against a gateway on loopback."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.contract.vllm.vllm_double import VllmDouble
from tests.contract.vllm.vllm_double import running as running_model
from tests.flow.front_doors.archive.archiving import running_archive, with_archive
from tests.flow.gateway import Gateway, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import running_object_store

HERE: Final = Path(__file__).parent
ROOT: Final = Path(__file__).parents[4]
ANSWER_TIMEOUT_SECONDS: Final = 20.0
LINE_CHARACTERS: Final = 600


@contextmanager
def complete_gateway() -> Iterator[Gateway]:
    """Start a gateway with a broker, a bucket, all stages and a language model server behind it."""
    with (
        tempfile.TemporaryDirectory() as directory,
        MockCluster() as broker,
        running_object_store() as store,
        running_model(VllmDouble(context_tokens=4_096)) as model,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as bench,
    ):
        bench.settings = with_archive(bench.settings, Path(directory))
        bench.start_transcriber()
        bench.start_enricher(model.base_url)
        with running_archive(bench.settings, store.client):
            yield bench.gateway(answer_timeout_seconds=ANSWER_TIMEOUT_SECONDS)


def violations(
    gateway: Gateway,
    directory: Path,
    *,
    examples: int,
    seed: int,
    timeout_seconds: float,
    more: tuple[str, ...] = (),
) -> str:
    """Run every check of schemathesis; return its report, empty if it found nothing. Blocks.

    ``examples`` is the number of random requests for each operation; ``directory`` gets what schemathesis writes;
    ``more`` are further options of its command.
    """
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"),
        *("--checks", "all", "--max-examples", str(examples), "--seed", str(seed), "--no-shrink", *more),
        f"http://127.0.0.1:{gateway.port}/openapi.json",
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.flow.documentation.fuzzing.hooks",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode == 0:
        return ""
    # The files of the requests are recordings, written as escapes.
    return "\n".join(line[:LINE_CHARACTERS] for line in (done.stdout + done.stderr).splitlines())
