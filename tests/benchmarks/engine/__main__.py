"""``make bench-engine``: Kascribe beside faster-whisper and beside CTranslate2 alone, on this machine's CPU.

All systems are loaded at once, each in a process of its own, and transcribe the same files in turn. The floor is
CTranslate2 with the same windows, prepared in advance: what Kascribe adds is the distance to it. Real speech with
a real model first, then the same files with a model of random weights that decodes a fixed number of tokens.
"""

import argparse
import tempfile
from pathlib import Path

from deploy.real_models import fetch_whisper
from deploy.stack.cache import default_cache
from tests.benchmarks.engine.comparing import compare, table, verdicts
from tests.benchmarks.engine.loads import real_speech
from tests.benchmarks.engine.systems import SYSTEMS
from tests.gpu.bench.shaped_model import SHAPES, make


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine", description=__doc__)
    parser.add_argument("--seconds", type=float, default=690.0, help="of real speech")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path, help="a CTranslate2 directory (default: Whisper base, fetched)")
    parser.add_argument("--shape", choices=SHAPES, default="tiny", help="of the model with random weights")
    parser.add_argument("--tokens", type=int, default=90, help="that each window has with random weights")
    parser.add_argument("--only", choices=("real", "random"), help="one of the two models")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, metavar="SYSTEM")
    chosen = parser.parse_args()
    load = real_speech(chosen.seconds)
    if chosen.only != "random":
        model = chosen.model or fetch_whisper(default_cache())
        print(f"\n{model.name}, int8")
        real = compare(load, model, rounds=chosen.rounds, systems=chosen.systems)
        print("\n".join((table(real), *verdicts(real, is_real_speech=True))), flush=True)
    if chosen.only != "real":
        with tempfile.TemporaryDirectory(prefix="kascribe-fixed-") as directory:
            model = make(Path(directory), SHAPES[chosen.shape], language="en", tokens=chosen.tokens)
            print(f"\nrandom weights, shape {chosen.shape}, int8, {chosen.tokens} tokens of every window")
            fixed = compare(load, model, rounds=chosen.rounds, fixed=True, systems=chosen.systems)
            print("\n".join((table(fixed), *verdicts(fixed, is_real_speech=False))), flush=True)


if __name__ == "__main__":
    main()
