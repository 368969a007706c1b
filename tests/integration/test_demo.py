"""The demo keeps its promise in CI, to the end."""

import os

import pytest

from deploy.stack import default_cache
from deploy.vllm.errors import VllmUnavailable
from deploy.vllm.installation import prepare
from tests.demo.__main__ import main


def without_vllm_where_there_is_none() -> list[str]:
    """Choose the demo's arguments: all of it in CI, and wherever a vLLM server can be installed."""
    try:
        prepare(default_cache())
    except VllmUnavailable as unavailable:
        if os.environ.get("CI") == "true":
            pytest.fail(str(unavailable))
        return ["--without-vllm"]
    return []


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("stack_tools")
def test_the_demo_comes_out_as_promised() -> None:
    """Eight formats, an outage, each transcribed once; an enrichment in the same trace; the README's requests."""
    assert main(without_vllm_where_there_is_none()) == 0
