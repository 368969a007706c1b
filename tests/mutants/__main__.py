"""Plant faults, run the tests that belong to them, and write docs/mutants.md. Run it again to continue.

Results are kept in ``mutants/``. A fault that was noticed stays noticed until its function changes; what was not
noticed is tried again each time, so that new tests count.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutants.report import Change, change_in, page
from tests.mutants.sampling import all_mutants, sampled

PAGE: Final = Path("docs/mutants.md")
MUTMUT: Final = Path(sys.executable).parent / "mutmut"
# The smallest module: running its mutants makes those of all, and learns which tests reach which function.
FIRST: Final = "schemas.notifications.ownership*"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 also where faults were not noticed, which the page reports.

    Raises SystemExit where mutmut fails, as it does when a test fails without any fault: the page stays as it is.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--per-module", default="all", help="how many of each module; all by default")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--report-only", action="store_true", help="write the page from what ran before")
    parser.add_argument("--note", default="", help="a sentence about this run, for the page")
    options = parser.parse_args(arguments)
    per_module = None if options.per_module == "all" else int(options.per_module)
    if not options.report_only:
        # Plant the changed functions' faults again before drawing the sample from what exists now.
        _mutmut(options.processes, [FIRST])
        names = [mutant.name for mutant in sampled(all_mutants(), per_module) if not mutant.noticed]
        if names:
            _mutmut(options.processes, names)
    ran = [mutant for mutant in sampled(all_mutants(), per_module) if mutant.exit_code is not None]
    PAGE.write_text(
        page(ran, rule=f"{_rule(per_module)} {options.note}".strip(), change_of=_change_of), encoding="utf-8"
    )
    print(f"{sum(mutant.noticed for mutant in ran)} of {len(ran)} planted faults noticed; see {PAGE}")
    return 0


def _rule(per_module: int | None) -> str:
    if per_module is None:
        return "Every fault of every module ran."
    return (
        f"Of each module those {per_module} faults ran whose names have the lowest SHA-256 digests: a sample that "
        "stays the same while functions do."
    )


def _mutmut(processes: int, names: Sequence[str]) -> None:
    code = subprocess.run([MUTMUT, "run", "--max-children", str(processes), *names], check=False).returncode
    if code:
        sys.exit(
            f"mutmut ended with {code}. {PAGE} is left as it is, and what ran is kept: run this again to go on."
        )


def _change_of(name: str) -> Change:
    return change_in(subprocess.run([MUTMUT, "show", name], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
