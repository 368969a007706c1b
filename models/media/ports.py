"""Observer hook of the decoders: two calls per file and one at the start, for metrics."""

from typing import Protocol

from models.media.sandbox.report import SandboxReport


class DecoderObserver(Protocol):
    """Called from the pool's threads; must not block or raise."""

    def on_file_begin(self, *, queued_seconds: float, reserved: bool) -> None:
        """Note that a child takes a file, which has waited this long.

        ``reserved``: it is the child for the interactive lane alone.
        """
        ...

    def on_file_end(self, *, seconds: float, reserved: bool) -> None:
        """Note that the child is free again after this long, whether or not the file could be decoded."""
        ...

    def on_sandbox(self, report: SandboxReport) -> None:
        """Note which protections are in force in the children. Called once, by the first that starts."""
        ...


class Unobserved:
    """Ignores what it is told."""

    def on_file_begin(self, *, queued_seconds: float, reserved: bool) -> None:
        """Do nothing."""

    def on_file_end(self, *, seconds: float, reserved: bool) -> None:
        """Do nothing."""

    def on_sandbox(self, report: SandboxReport) -> None:
        """Do nothing."""
