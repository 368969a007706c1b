"""The demo keeps its promise in CI, to the end."""

import os

import pytest

from deploy.real_models import RealModelUnavailable, fetch_language_model
from deploy.stack import default_cache
from tests.demo.__main__ import main


def without_vllm_where_there_is_none() -> list[str]:
    """Choose the demo's arguments: all of it in CI, and wherever the real language model can be served."""
    try:
        fetch_language_model(default_cache())
    except RealModelUnavailable as unavailable:
        if os.environ.get("CI") == "true":
            pytest.fail(str(unavailable))
        return ["--without-vllm"]
    return []


@pytest.mark.timeout(1_800)
@pytest.mark.usefixtures("stack_tools", "real_whisper")
def test_the_demo_comes_out_as_promised() -> None:
    """Eight formats, an outage, each once; Korean; a summary of what was said; the README's requests."""
    assert main(without_vllm_where_there_is_none()) == 0
