"""Fixtures that contract tests share: the object store, and the enricher on its bench."""

from collections.abc import Iterator

import pytest

from producers.gateway.interactive import jobs
from schemas.settings import S3Settings
from tests.contract.enricher.enrich_bench import Bench, BenchMaker, bench_maker
from tests.contract.jobs.gateway_jobs import Tell, teller
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_opening import Opener, opener
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore, running_object_store


@pytest.fixture(scope="session")
def moto_store() -> Iterator[ObjectStore]:
    """Yield one S3 server in this process for the session; every test takes its own buckets."""
    with running_object_store() as store:
        yield store


@pytest.fixture
def settings(moto_store: ObjectStore) -> S3Settings:
    """Return settings of a bucket with one recording of three seconds at ``call.wav``."""
    made = moto_store.settings()
    moto_store.put(made, "call.wav", wav_bytes(3), content_type="audio/wav")
    return made


@pytest.fixture
def benches(moto_store: ObjectStore) -> Iterator[BenchMaker]:
    """Yield a maker of benches; what they open is closed at the end."""
    with bench_maker(moto_store) as make:
        yield make


@pytest.fixture
def bench(benches: BenchMaker) -> Bench:
    """Return a bench with no profiles by default."""
    return benches()


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Yield a language model server of the test's own."""
    with running(VllmDouble(context_tokens=4_096)) as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    """Return the list to which ``opened`` enrichers add the length of each retry pause."""
    return []


@pytest.fixture
def opened(double: VllmDouble, pauses: list[float]) -> Iterator[Opener]:
    """Yield a function that opens enrichers on the double."""
    with opener(double, pauses) as open_one:
        yield open_one


@pytest.fixture
def tell(moto_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Return a runner of scenarios of the gateway's jobs, with short intervals between polls of the bucket."""
    monkeypatch.setattr(jobs, "FIRST_POLL_SECONDS", 0.01)
    monkeypatch.setattr(jobs, "LONGEST_POLL_SECONDS", 0.02)
    return teller(moto_store)
