"""Which protections of the decoders this kernel enforces."""

from collections.abc import Iterator

from kascribe.operations.doctor.findings import Finding, failed, ok, warning
from models.media.sandbox.probe import probe_sandbox
from models.media.sandbox.report import MEANINGS
from schemas.clock import Clock
from schemas.settings import WhisperSettings


def check_sandbox(settings: WhisperSettings, *, clock: Clock) -> Iterator[Finding]:
    """Start a decoder and yield what its sandbox refuses. Raises DependencyDown where none can be started."""
    name, report = "decoder sandbox", probe_sandbox(settings, clock=clock)
    landlock = f"Landlock {report.landlock_abi}" if report.landlock_abi else "no Landlock"
    found = f"{'seccomp' if report.seccomp else 'no seccomp'}, {landlock}"
    if settings.decoder_sandbox == "off":
        remedy = "set KASCRIBE_WHISPER_DECODER_SANDBOX=available"
        yield warning(name, f"off, though the kernel offers it ({found})", remedy)
        return
    if not report.missing:
        yield ok(name, f"{found}: {len(report.in_force)} protections in force")
        return
    allowed = "; ".join(MEANINGS[each] for each in report.missing)
    problems = f" ({'; '.join(report.problems)})" if report.problems else ""
    remedy = "use a kernel with seccomp and Landlock (5.13 or later), and let the container use them"
    row = failed if settings.decoder_sandbox == "required" else warning
    yield row(name, f"{found}{problems}; a hostile file could try {allowed}", remedy)
