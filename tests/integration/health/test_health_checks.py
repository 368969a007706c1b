"""The compose file's own health check of the language model server, beside a real one."""

import pytest

from deploy.vllm.server import VllmServer
from tests.support.health_checks import exit_code, of_service


@pytest.mark.parametrize("served", [True, False])
def test_vllm_s_check_requests_vllm_s_own_health(vllm: VllmServer, served: bool) -> None:
    """Healthy where the server is, unhealthy where none listens."""
    *python, program = of_service("vllm")
    assert "http://127.0.0.1:8000/health" in program
    base_url = vllm.base_url if served else "http://127.0.0.1:9"
    assert (exit_code([*python, program.replace("http://127.0.0.1:8000", base_url)], {}) == 0) is served
