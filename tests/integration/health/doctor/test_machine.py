"""Each limit of the machine, set on a real process: a full disk, few files, little memory, damaged models."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from kascribe.configuration.reading import load
from kascribe.operations.doctor.findings import State
from kascribe.operations.doctor.machine.cuda import CudaDevice
from kascribe.operations.doctor.machine.model import memory_finding
from tests.contract.store.pulls import running_hub, store_of
from tests.integration.health.doctor.examined import Rows, examined
from tests.support.listening import missing

COMMAND: tuple[str, ...] = (sys.executable, "-m", "kascribe", "doctor", "--json")
NOWHERE = {
    "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "KASCRIBE_S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "sesame-open",
    "KASCRIBE_WHISPER_MODEL": "selftest",
}


def doctor(
    directory: Path,
    *roles: str,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> dict[str, dict[str, str]]:
    """Run the command behind another one, such as prlimit, and return its rows by name."""
    done = subprocess.run(
        [*before, *COMMAND, *roles],
        cwd=directory,
        env={**os.environ, **NOWHERE, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 1, done.stderr  # there is no broker
    assert done.stderr == ""
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


def states(rows: Mapping[str, Mapping[str, str]], *areas: str) -> dict[str, str]:
    """Return the states of the rows of some areas."""
    return {name: row["state"] for name, row in rows.items() if row["area"] in areas}


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Return the rows of this machine as it is."""
    return doctor(tmp_path_factory.mktemp("well"), "transcriber")


def test_few_open_files_are_found(well: dict[str, dict[str, str]], tmp_path: Path) -> None:
    """With the numbers of files that would do; no other row of the machine changes."""
    few = doctor(tmp_path, "transcriber", before=("prlimit", "--nofile=140:140"))
    assert few["open files"]["state"] == "failed"
    assert few["open files"]["found"].startswith("140 may be open")
    assert "LimitNOFILE=" in few["open files"]["remedy"]
    assert {**states(well, "machine"), "open files": "failed"} == states(few, "machine")


def test_a_full_disk_is_found(well: dict[str, dict[str, str]], tmp_path: Path) -> None:
    """On a file system in memory that is nearly full, in a mount namespace of its own."""
    unshare = ("unshare", "--user", "--map-root-user", "--mount")
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        missing("this kernel lets no user make a mount namespace")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    mount = f'mount -t tmpfs -o size=600k none {scratch} && exec "$@"'
    full = doctor(
        tmp_path, "transcriber", before=(*unshare, "sh", "-c", mount, "sh"), environment={"TMPDIR": str(scratch)}
    )
    assert full["scratch"]["state"] == "failed"
    assert full["scratch"]["found"] == f"{scratch} is full"
    assert "TMPDIR" in full["scratch"]["remedy"]
    assert {**states(well, "machine"), "scratch": "failed"} == states(full, "machine")


def model_rows(**changed: object) -> Rows:
    """Examine model and device, as a process with these settings of whisper would."""
    overrides = {"whisper.model": "selftest", **{f"whisper.{name}": value for name, value in changed.items()}}
    return examined(load(overrides=overrides).settings, "transcriber", areas=("model",))


def test_a_model_that_is_absent_or_damaged_is_found(tmp_path: Path) -> None:
    """Offline, since nothing can fetch it then; the device's rows stay as they are."""
    assert model_rows().states.items() >= {"model": State.OK, "compute type": State.OK}.items()
    offline = model_rows(model="tiny", offline=True, models_directory=tmp_path)
    assert offline["model"].state is State.FAILED
    assert "offline" in offline["model"].found
    assert offline["compute type"].state is State.OK
    online = model_rows(model="tiny", models_directory=tmp_path)
    assert online["model"].remedy == "kascribe models pull tiny"
    for name in ("config.json", "tokenizer.json", "vocabulary.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "model.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    pointer = model_rows(model=str(tmp_path))
    assert pointer["model"].state is State.FAILED
    assert "Git LFS pointer" in pointer["model"].found


def test_a_model_whose_bytes_changed_is_found(tmp_path: Path) -> None:
    """By the digests that were written when it was pulled."""
    with running_hub() as hub:
        pulled = store_of(tmp_path, hub).pull("tiny")
    assert model_rows(model="tiny", models_directory=tmp_path)["model hash"].state is State.OK
    with (pulled.path / "model.bin").open("r+b") as weights:
        weights.write(b"\0\0\0\0")
    damaged = model_rows(model="tiny", models_directory=tmp_path)
    assert damaged["model hash"].state is State.FAILED
    assert "model.bin has other content" in damaged["model hash"].found
    assert "kascribe models pull tiny" in damaged["model hash"].remedy


def test_a_type_that_the_device_cannot_compute_in_is_found() -> None:
    """The remedy lists those that it can."""
    row = model_rows(compute_type="float16", device="cpu")["compute type"]
    assert row.state is State.FAILED
    assert "int8" in row.remedy


def test_a_gpu_that_is_asked_for_and_absent_is_found() -> None:
    """On a machine without one; with one, the index is out of its range."""
    row = model_rows(device="cuda", device_index=99)["device"]
    assert row.state is State.FAILED
    assert "KASCRIBE_WHISPER_DEVICE" in row.found


@pytest.mark.parametrize(
    ("free_gigabytes", "state"), [(1.0, State.FAILED), (2.0, State.WARNING), (10.0, State.OK)]
)
def test_a_model_has_to_fit_into_what_is_free_on_a_gpu(free_gigabytes: float, state: State) -> None:
    """Its weights, and as much again for batches."""
    gpu = CudaDevice("a GPU", (8, 0), total_bytes=40_000_000_000, free_bytes=int(free_gigabytes * 1e9))
    assert memory_finding(gpu, 1_600_000_000).state is state


def test_decoders_without_a_sandbox_are_found() -> None:
    """Where the setting turns it off, although the kernel offers it."""
    rows = examined(load(overrides={"whisper.decoder_sandbox": "off"}).settings, "transcriber", areas=("machine",))
    assert rows["decoder sandbox"].state is State.WARNING
    assert "KASCRIBE_WHISPER_DECODER_SANDBOX" in rows["decoder sandbox"].remedy


def test_no_output_has_a_secret(tmp_path: Path) -> None:
    """Whatever fails."""
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "sesame-one",
        "KASCRIBE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KASCRIBE_KAFKA_SASL_MECHANISM": "PLAIN",
        "KASCRIBE_KAFKA_SASL_USERNAME": "alice",
        "KASCRIBE_KAFKA_SASL_PASSWORD": "sesame-two",
        "KASCRIBE_VLLM_BASE_URL": "http://user:sesame-three@127.0.0.1:1",
        "KASCRIBE_VLLM_API_KEY": "sesame-four",
        "KASCRIBE_ARCHIVE_URL": "postgresql://user:sesame-five@127.0.0.1:1/kascribe",
    }
    rows = doctor(tmp_path, environment=secrets)
    assert {rows[name]["state"] for name in ("broker", "store", "database")} == {"failed"}
    assert "sesame" not in json.dumps(rows)
