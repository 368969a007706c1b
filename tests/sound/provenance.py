"""The origin that the transcripts of tests state."""

from typing import Final

from schemas.transcripts.transcript import Provenance

PROVENANCE: Final = Provenance(
    engine="e",
    engine_version="1",
    model="m",
    model_sha256="0",
    compute_type="int8",
    device="cpu",
    options_digest="0",
    kascribe_version="0",
)
