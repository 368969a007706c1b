"""Trial of the sandbox on this machine, for ``kascribe doctor``."""

from contextlib import closing

from models.media.process import DecoderProcess
from models.media.sandbox.parent import hide_where_unconfined
from models.media.sandbox.report import SandboxReport
from schemas.clock import Clock
from schemas.settings import WhisperSettings


def probe_sandbox(settings: WhisperSettings, *, clock: Clock) -> SandboxReport:
    """Start a decoder and return what its sandbox refuses. Blocks for about a second.

    Raises OSError, and DependencyDown where no decoder can be started, whatever the setting says of the sandbox.
    """
    tolerant = settings.model_copy(update={"decoder_sandbox": "available"})
    hide_where_unconfined()
    with closing(DecoderProcess(tolerant, file_bytes=0, clock=clock)) as child:
        child.wait_ready(cancelled=lambda: False)
        if child.sandbox is None:
            raise AssertionError("a decoder that is ready has reported its sandbox")
        return child.sandbox
