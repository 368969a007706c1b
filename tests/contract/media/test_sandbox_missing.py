"""Where the kernel or a container forbids a sandbox, operators are told, and may refuse to decode."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from models.media.messages import DecodeFinished
from models.media.sandbox.probe import probe_sandbox
from models.media.sandbox.report import Protection
from schemas.clock import SystemClock
from schemas.settings import WhisperSettings
from tests.support.confinement import without_sandboxes
from tests.support.listening import speech

REPOSITORY: Final = Path(__file__).parents[3]

PARENT: Final = """
import json, sys
from pathlib import Path
from kascribe.metering.engine import ENGINE_METRICS, StageMeter
from consumers.metrics import Metrics
from prometheus_client import CollectorRegistry
from models.media.pool import DecoderPool
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError
from schemas.settings import WhisperSettings
from tests.sound.decoding import Decoders

registry = CollectorRegistry()
meter = StageMeter(Metrics(registry, ENGINE_METRICS), decoder_processes=1, clock=SystemClock())
settings = WhisperSettings(decoder_processes=1, decoder_sandbox=sys.argv[1])
pool = DecoderPool(settings, clock=SystemClock(), observer=meter)
try:
    pool.wait_ready()
except ConfigurationError as error:
    print(json.dumps({"error": str(error)}))
    sys.exit(0)
finally:
    pool.close()
samples = [each for metric in registry.collect() for each in metric.samples]
states = {each.labels["protection"]: each.value for each in samples if each.name == "kascribe_decoder_sandbox"}
outcome = Decoders(settings).outcome(Path(sys.argv[2]))
print(json.dumps({"states": states, "outcome": type(outcome).__name__}))
sys.exit(0)
"""
"""A parent that starts decoders as a role does, and tells what became of them; its log is on stdout too."""


def parent(arguments: Sequence[str], before: Sequence[str] = (), **options: Any) -> tuple[Mapping[str, Any], str]:
    """Run the program and return what it says, and its log."""
    command = [*before, sys.executable, "-c", PARENT, *arguments, str(speech("en-digits.ogg"))]
    made = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
        **options,
    )
    *log, said = made.stdout.splitlines()
    found: Mapping[str, Any] = json.loads(said)
    return found, "\n".join(log)


def test_what_the_kernel_forbids_is_logged_and_counted() -> None:
    """Decoding goes on; the parent's memory is hidden by the parent itself, and rights are given up."""
    found, log = parent(["available"], preexec_fn=without_sandboxes())
    assert found["outcome"] == DecodeFinished.__name__
    states = found["states"]
    assert states.pop("processes") in {0.0, 1.0}  # a limit on processes does not hold for root
    assert states == {"privileges": 1.0, "parent_memory": 1.0, "files": 0.0, "network": 0.0, "kernel": 0.0}
    assert "decoders are not fully confined" in log
    assert "opening files; making sockets" in log
    assert "Operation not permitted" in log
    assert "KASCRIBE_WHISPER_DECODER_SANDBOX" in log


def test_a_sandbox_that_is_required_and_forbidden_stops_the_start() -> None:
    """The message names what is missing and the setting."""
    found, _ = parent(["required"], preexec_fn=without_sandboxes())
    assert found["error"].startswith("audio is not decoded: ")
    assert "making sockets" in found["error"]
    assert "KASCRIBE_WHISPER_DECODER_SANDBOX" in found["error"]
    assert "MEMORY_BYTES" not in found["error"]


def test_a_sandbox_that_is_required_and_enforced_is_no_obstacle() -> None:
    """All is in force here, and the log says so."""
    found, log = parent(["required"])
    assert found == {"states": {each.value: 1.0 for each in Protection}, "outcome": DecodeFinished.__name__}
    assert "decoders are confined" in log
    assert "seccomp=True" in log


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests run as an ordinary user then")
@pytest.mark.parametrize("is_forbidden", [False, True], ids=["enforced", "forbidden"])
def test_an_ordinary_users_decoders_are_confined_as_well(is_forbidden: bool) -> None:
    """No right is needed to give rights up; where seccomp is forbidden, a limit keeps processes from starting.

    The user may read all files, since the interpreter may be in a directory of root's.
    """
    user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    user += [f"--{each}-caps=+dac_read_search" for each in ("inh", "ambient")]
    options = {"preexec_fn": without_sandboxes()} if is_forbidden else {}
    found, _ = parent(["available"], user, **options)
    assert found["outcome"] == DecodeFinished.__name__
    in_force = {name for name, state in found["states"].items() if state}
    assert in_force == ({"privileges", "parent_memory", "processes"} if is_forbidden else set(Protection))


def test_a_sandbox_that_is_turned_off_is_counted_as_missing() -> None:
    """An operator who turns it off sees that in the metrics and in the log."""
    found, log = parent(["off"])
    assert found["states"] == {each.value: 0.0 for each in Protection}
    assert "KASCRIBE_WHISPER_DECODER_SANDBOX is off" in log


def test_doctor_learns_what_is_enforced() -> None:
    """Whatever the setting says: what matters is what the kernel would do."""
    report = probe_sandbox(WhisperSettings(decoder_sandbox="required"), clock=SystemClock())
    assert report.is_on
    assert report.missing == ()
    assert report.seccomp
