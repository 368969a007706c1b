"""Live and ready, whatever hangs."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from producers.gateway.monitoring.dependencies import FRESH_SECONDS, Dependencies
from producers.gateway.monitoring.health import ENRICHER, ENRICHER_SILENCE_SECONDS, SILENCE_SECONDS, Health
from schemas.monitoring import HealthReport
from tests.support.clock import HandClock


@contextmanager
def health_of(
    checks: Mapping[str, Callable[[], bool]], threads: Mapping[str, Callable[[], bool]], clock: HandClock
) -> Iterator[Health]:
    """Build the health of a gateway with these checks and threads."""
    with ThreadPoolExecutor(len(checks) or 1) as executor:
        yield Health(threads, Dependencies(checks, executor, clock=clock), clock=clock)


def ready_after(
    seconds: float, *, before: bool, then: bool, name: str = "kafka"
) -> tuple[HealthReport, HealthReport]:
    """Check twice, so many seconds apart, a service that answers so."""
    clock, answers = HandClock(), [before, then]

    async def both(health: Health) -> tuple[HealthReport, HealthReport]:
        first = await health.ready()
        clock.seconds += seconds
        return first, await health.ready()

    with health_of({name: lambda: answers.pop(0)}, {}, clock) as health:
        return asyncio.run(both(health))


def test_a_process_with_all_its_threads_is_live() -> None:
    """Also while every service is down: a new process would not repair them."""
    with health_of({"kafka": lambda: False}, {"publisher": lambda: True}, HandClock()) as health:
        assert health.live() == HealthReport(True, (), {"threads": {"publisher": True}})


def test_a_thread_that_ended_is_named() -> None:
    """Nothing is published without it, so that a new process is needed."""
    threads = {"publisher": lambda: False, "answers": lambda: True}
    with health_of({}, threads, HandClock()) as health:
        report = health.live()
    assert not report.ok
    assert "publisher" in report.reasons[0]


def test_a_service_that_never_answered_makes_the_gateway_not_ready() -> None:
    """And it is named."""
    first, _ = ready_after(0, before=False, then=False)
    assert (first.ok, first.reasons) == (False, ("kafka does not answer",))
    assert first.facts == {"dependencies": {"kafka": False}}


def test_one_check_that_failed_is_not_an_outage() -> None:
    """Readiness would come and go under load; it goes when the service stays silent."""
    soon = FRESH_SECONDS + 0.1
    assert [report.ok for report in ready_after(soon, before=True, then=False)] == [True, True]
    assert [report.ok for report in ready_after(SILENCE_SECONDS, before=True, then=False)] == [True, False]


def test_a_rolling_restart_of_enrichers_keeps_the_gateway_ready() -> None:
    """A group without a member for less than a minute is one whose members start again."""
    soon = SILENCE_SECONDS + 1
    assert all(report.ok for report in ready_after(soon, before=True, then=False, name=ENRICHER))
    _, late = ready_after(ENRICHER_SILENCE_SECONDS, before=True, then=False, name=ENRICHER)
    assert "KASCRIBE_GATEWAY_ENRICHMENT=false" in late.reasons[0]


def test_a_check_that_hangs_does_not_hold_the_answer_up() -> None:
    """Within a second, with the service that hangs."""
    released = threading.Event()
    with health_of({"kafka": lambda: True, "bucket": lambda: released.wait(30)}, {}, HandClock()) as health:
        began = time.monotonic()

        async def checked() -> HealthReport:
            return await health.ready()

        report = asyncio.run(checked())
        took = time.monotonic() - began
        released.set()
    assert took < 1.0
    assert report.reasons == ("bucket does not answer",)


def test_an_optional_service_is_reported_and_does_not_count() -> None:
    """A gateway without its archive still transcribes."""
    with ThreadPoolExecutor(2) as executor:
        needed = Dependencies({"kafka": lambda: True, "archive": lambda: False}, executor, clock=HandClock())
        health = Health({}, needed, clock=HandClock(), optional=frozenset({"archive"}))
        report = asyncio.run(health.ready())
    assert (report.ok, report.reasons) == (True, ())
    assert report.facts == {"dependencies": {"kafka": True, "archive": False}}
