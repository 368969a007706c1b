"""Random requests made of the OpenAPI document find no defect, and no answer that is not described there."""

from pathlib import Path
from typing import Final

import pytest

from tests.flow.documentation.fuzzing.running import complete_gateway, violations

EXAMPLES: Final = 5
SEED: Final = 1
TIMEOUT_SECONDS: Final = 420
ONE: Final = ("--include-operation-id", "read_job")


@pytest.mark.timeout(TIMEOUT_SECONDS + 60)
def test_no_request_finds_a_defect_or_an_undescribed_answer(tmp_path: Path) -> None:
    """No 500; status, type, headers and body of every answer are as documented. `make fuzz-gateway` tries more."""
    with complete_gateway() as gateway:
        found = violations(gateway, tmp_path, examples=EXAMPLES, seed=SEED, timeout_seconds=TIMEOUT_SECONDS)
    assert not found, found


def test_the_checks_notice_an_answer_that_is_not_documented(tmp_path: Path) -> None:
    """Otherwise the test above would say nothing: a status is taken out of the document, and is found missing."""
    with complete_gateway() as gateway:
        document = gateway.server.config.app.openapi()  # type: ignore[union-attr] # FastAPI's application
        del document["paths"]["/v1/jobs/{job_id}"]["get"]["responses"]["404"]
        found = violations(gateway, tmp_path, examples=1, seed=SEED, timeout_seconds=TIMEOUT_SECONDS, more=ONE)
    assert "Undocumented status code" in found
