"""Every built-in profile on forty transcripts, on a server of the user's choice: ``make bench-enrich-quality``.

Answers are kept in a file as they arrive and judged from it by rules of this benchmark, which do not depend on
the product's, so that revisions compare. ``--before REVISION`` has each cell answered by the code of that revision
too, cell by cell beside this tree's. ``--resume`` continues the file; ``--report`` judges it without a server.
Ends with 1 when a published result is not valid JSON, or has the fence word or a run of digits in it.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from deploy.stack.cache import default_cache
from tests.benchmarks.enrich_quality.answers import AnswerFile
from tests.benchmarks.enrich_quality.collecting import Collecting, ServerLost
from tests.benchmarks.enrich_quality.recorder import Recorder
from tests.benchmarks.enrich_quality.report import report_of
from tests.benchmarks.enrich_quality.transcripts import Transcript, read_transcripts
from tests.benchmarks.enrich_quality.trees import Collector, CollectorFailed, checked_out
from tests.structure.trees import NoSuchRevision

TIMEOUT_SECONDS: Final = 900.0
"""Of one request: a model on a busy CPU takes minutes for a thousand tokens."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect what is missing, print tables; return 1 when a goal is missed, 2 when the run could not go on."""
    chosen = _parser().parse_args(arguments)
    if chosen.answers.exists() and not (chosen.resume or chosen.report):
        print(
            f"{chosen.answers} has answers already: pass --resume, or another file as --answers", file=sys.stderr
        )
        return 2
    transcripts = [
        transcript
        for transcript in read_transcripts()
        if not chosen.transcripts or transcript.name in chosen.transcripts
    ][:: chosen.every]
    answers = AnswerFile(chosen.answers)
    try:
        trees = answers.trees() if chosen.report else _collect(chosen, answers, transcripts)
    except (CollectorFailed, NoSuchRevision, ServerLost) as error:
        print(f"{error}\nwhat was answered is in {chosen.answers}; --resume continues", file=sys.stderr)
        return 2
    report = report_of(answers, chosen.trees or trees, transcripts)
    report.print(by_profile=not chosen.total)
    for miss in report.misses():
        print(f"missed: {miss}")
    return 1 if report.misses() else 0


def _collect(chosen: argparse.Namespace, answers: AnswerFile, transcripts: Sequence[Transcript]) -> list[str]:
    """Have every tree answer its cells; return the trees' labels."""
    if not chosen.url:
        raise ServerLost("no server: pass --url or set KASCRIBE_VLLM_BASE_URL")
    limits = {"at_once": chosen.at_once, "timeout_seconds": chosen.timeout_seconds}
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(chosen.url, **limits))
        revisions = [chosen.before, None] if chosen.before else [None]
        collectors: list[Collector] = []
        for revision in revisions if chosen.only is None else revisions[chosen.only == "after" :][:1]:
            tree = stack.enter_context(checked_out(revision))
            if tree.label in {each.tree.label for each in collectors}:
                continue  # this tree has the code of the revision
            collector = Collector(tree, recorder.url, chosen.model, **limits)
            stack.callback(collector.close)
            collectors.append(collector)
        Collecting(answers, recorder, collectors, profiles=chosen.profiles, count=chosen.count).run(
            transcripts, at_once=chosen.at_once
        )
        return [collector.tree.label for collector in collectors]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.enrich_quality", description=__doc__)
    parser.add_argument("--url", default=os.environ.get("KASCRIBE_VLLM_BASE_URL"), help="without /v1")
    parser.add_argument("--model", default=os.environ.get("KASCRIBE_VLLM_MODEL"), help="(default: the server's)")
    parser.add_argument("--before", metavar="REVISION", help="a commit to compare with")
    parser.add_argument("--only", choices=("before", "after"), help="let one of the two trees answer")
    parser.add_argument("--profiles", nargs="*", help="(default: all that have a schema)")
    parser.add_argument("--transcripts", nargs="*", metavar="NAME", help="(default: all forty)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth transcript")
    parser.add_argument("--count", type=int, help="cells (a profile on a transcript) at most")
    parser.add_argument("--at-once", type=int, default=4, help="requests that the server has at once (default: 4)")
    parser.add_argument("--timeout-seconds", type=float, default=TIMEOUT_SECONDS, help="of one request")
    path = default_cache() / "enrich-quality" / "answers.jsonl"
    parser.add_argument("--answers", type=Path, default=path, help=f"the file of answers (default: {path})")
    parser.add_argument("--resume", action="store_true", help="go on with the file of answers")
    parser.add_argument("--report", action="store_true", help="judge the file of answers; ask no server")
    parser.add_argument("--total", action="store_true", help="no tables by profile")
    parser.add_argument("--trees", nargs="*", metavar="LABEL", help="report on these, the last as the newest")
    return parser


if __name__ == "__main__":
    sys.exit(main())
