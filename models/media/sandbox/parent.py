"""The parent's part in the sandbox: hiding its memory where children cannot be confined, and the log line."""

from typing import Final

import structlog

from models.media.sandbox import kernel
from models.media.sandbox.report import MEANINGS, SandboxReport

_log: Final = structlog.get_logger(__name__)


def hide_where_unconfined() -> None:
    """Hide this process's environment and memory if the kernel confines children in no other way.

    Not elsewhere: a debugger, a profiler and core dumps are of use to operators.
    """
    if kernel.filter_is_available() or kernel.landlock_version():
        return
    try:
        kernel.hide_memory()
    except OSError as error:
        _log.warning("this process's memory cannot be hidden from decoders", error=str(error))


def log_report(report: SandboxReport) -> None:
    """Write one line about what the kernel refuses to decoders; a warning where that is not everything."""
    seccomp, version = report.seccomp, report.landlock_abi
    if not report.is_on:
        _log.warning("decoders are not confined", why="KASCRIBE_WHISPER_DECODER_SANDBOX is off")
    elif report.missing:
        why = describe_missing(report)
        _log.warning("decoders are not fully confined", why=why, seccomp=seccomp, landlock_version=version)
    else:
        _log.info("decoders are confined", seccomp=seccomp, landlock_version=version)


def describe_missing(report: SandboxReport) -> str:
    """Return a sentence on what the kernel does not refuse to decoders, and what to do."""
    missing = "; ".join(MEANINGS[each] for each in report.missing)
    causes = f" ({'; '.join(report.problems)})" if report.problems else ""
    return (
        f"this kernel or container does not keep decoders from {missing}{causes}; allow seccomp and Landlock, or "
        "set KASCRIBE_WHISPER_DECODER_SANDBOX to available"
    )
