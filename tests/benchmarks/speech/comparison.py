"""The texts that the systems give of the same files, one system after the other in one process."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.real_models import fetch_whisper
from deploy.stack.cache import default_cache
from tests.benchmarks.speech.kept_texts import KeptTexts
from tests.benchmarks.speech.systems import PEERS, SYSTEMS, opened

WITHOUT_VAD: Final = " without VAD"
"""Ends the name under which a system's texts are kept that it gave with VAD off."""

Texts = dict[str, str]
"""Texts by recording."""


def compare(paths: Mapping[str, Path], model: Path, *, kept: KeptTexts, vad: bool = True) -> dict[str, Texts]:
    """Return by system the text of each file; faster-whisper's may be kept ones. Blocks for minutes."""
    for system in SYSTEMS:
        title = system + ("" if vad else WITHOUT_VAD)
        names = kept.missing(title, list(paths)) if system in PEERS else list(paths)
        if not names:
            continue
        print(f"{title}: {len(names)} recordings", file=sys.stderr, flush=True)
        with opened(system, model) as opened_system:
            texts = opened_system.texts([paths[name] for name in names], vad=vad)
            kept.add(title, zip(names, texts, strict=True))
    titles = {system: system + ("" if vad else WITHOUT_VAD) for system in SYSTEMS}
    return {system: {name: kept.of(title, name) for name in paths} for system, title in titles.items()}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every comparison takes."""
    parser.add_argument("--model", type=Path, help="a CTranslate2 directory (default: Whisper base, fetched)")
    parser.add_argument("--resume", type=Path, help="keep faster-whisper's texts in this file for the next run")


def chosen_model(named: Path | None) -> Path:
    """Return the model to use; fetch Whisper base when none is named."""
    return named or fetch_whisper(default_cache())
