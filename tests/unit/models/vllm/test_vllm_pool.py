"""Addresses of servers, and the choice among them by affinity."""

import pytest

from models.vllm.servers.pool import addresses, rank
from schemas.errors import ConfigurationError
from schemas.settings import VllmSettings


def test_the_error_for_a_missing_address_names_the_variable() -> None:
    """It is KASCRIBE_VLLM_BASE_URL."""
    with pytest.raises(ConfigurationError, match="KASCRIBE_VLLM_BASE_URL"):
        addresses(VllmSettings())
    assert addresses(VllmSettings(base_url="http://a:1/v1/, http://b:2")) == ["http://a:1", "http://b:2"]


def test_removing_a_server_moves_only_its_own_transcripts() -> None:
    """Rendezvous hashing keeps the other servers' prefix caches useful."""
    urls = [f"http://host-{number}" for number in range(4)]
    jobs = [f"job-{number}" for number in range(400)]
    before = {job: urls[rank(urls, job)[0]] for job in jobs}
    after = {job: urls[:3][rank(urls[:3], job)[0]] for job in jobs}
    assert {before[job] for job in jobs if before[job] != after[job]} == {urls[3]}
    assert all(60 <= sum(url == found for found in before.values()) <= 140 for url in urls)
