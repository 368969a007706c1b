"""What several folders of tests share."""

from hypothesis import settings

pytest_plugins = ["tests.integration.vllm_server", "tests.suite.workers", "tests.support.real_models"]

# How long an example takes is the machine's affair; what hangs ends by pytest's own timeout.
settings.register_profile("kascribe", deadline=None)
settings.load_profile("kascribe")
