"""``python -m deploy.helm [FILE…]``: check the chart with files of values, by default those in ``examples``."""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from deploy.helm.chart import EXAMPLES, Checked, check
from deploy.helm.tools import KUBERNETES_VERSIONS, prepare
from deploy.stack import StackError, default_cache


def main(arguments: list[str] | None = None) -> int:
    """Check every file; return 1 when there is a problem, 2 when a tool is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.helm",
        description="Check the chart with files of values: helm lint, helm template, and kubeconform with the "
        f"schemas of Kubernetes {' and '.join(KUBERNETES_VERSIONS)}, KEDA and the Prometheus operator. No cluster "
        "is needed. The first run builds the tools, which takes two minutes.",
    )
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="values; default: deploy/helm/examples"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    chosen = parser.parse_args(arguments)
    for file in chosen.files:
        if not file.is_file():
            parser.error(f"{file} is not there")
    try:
        tools = prepare(default_cache(), report=lambda line: print(line, file=sys.stderr))
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = [check(tools, file) for file in chosen.files or sorted(EXAMPLES.glob("*.yaml"))]
    for each in found:
        print(json.dumps({**asdict(each), "values": str(each.values)}) if chosen.json else _lines(each))
    return 1 if any(each.problems for each in found) else 0


def _lines(checked: Checked) -> str:
    if checked.problems:
        return "\n".join([f"{checked.values.name}: refused", *(f"  {each}" for each in checked.problems)])
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(checked.kinds).items()))
    return f"{checked.values.name}: valid\n  {kinds}"


if __name__ == "__main__":
    sys.exit(main())
