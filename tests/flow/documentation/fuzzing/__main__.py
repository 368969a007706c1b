"""``python -m tests.flow.documentation.fuzzing``: a longer run of schemathesis; prints what it finds."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.flow.documentation.fuzzing.running import complete_gateway, violations

SECONDS_FOR_EXAMPLE: Final = 60.0
SECRET_SEED: Final = 2**31


def main() -> int:
    """Run; return 1 when there is a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="random requests for each operation")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(SECRET_SEED), help="repeats a run")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    with complete_gateway() as gateway, tempfile.TemporaryDirectory() as directory:
        limit = SECONDS_FOR_EXAMPLE * chosen.examples
        report = violations(
            gateway, Path(directory), examples=chosen.examples, seed=chosen.seed, timeout_seconds=limit
        )
    print(report or "no violation")
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
