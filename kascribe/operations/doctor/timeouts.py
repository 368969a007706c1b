"""Whether the time limits of the settings stand in the right order: the inner one ends before the outer one."""

import subprocess
from collections.abc import Iterator, Sequence
from typing import Final

from kascribe.operations.doctor.findings import Finding, failed, ok, skipped, warning
from schemas.settings import Settings

POLL_INTERVAL_MS: Final = 300_000
"""librdkafka's default of max.poll.interval.ms: within it, a member has to have let go of partitions."""

STUCK_SECONDS: Final = 60.0
"""After so long without a confirmed record a role counts as stuck; the client must have reported by then."""

KILL_RESERVE_SECONDS: Final = 5.0
"""From the end of the drain to the end of the process: closing clients, and a busy machine."""

_SYSTEMCTL_SECONDS: Final = 5.0
_UNITS_OF_TIME: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3_600.0}


def check_timeouts(settings: Settings, roles: Sequence[str], *, grace_seconds: float | None) -> Iterator[Finding]:
    """Yield a row for each pair of limits. ``grace_seconds``: from SIGTERM to SIGKILL, where it is known."""
    runtime = settings.runtime
    drain = runtime.drain_timeout_seconds
    grace = {"the given grace period": grace_seconds} if grace_seconds is not None else _unit_graces(roles)
    yield _drain(drain, {what: seconds for what, seconds in grace.items() if seconds is not None})
    yield _revocation(runtime.revoke_timeout_seconds, drain, _property_ms(settings, "max.poll.interval.ms"))
    yield _confirmation(_property_ms(settings, "message.timeout.ms"))


def _drain(drain: float, graces: dict[str, float]) -> Finding:
    name, needed = "drain", drain + KILL_RESERVE_SECONDS
    if not graces:
        return skipped(
            name,
            f"a role needs {needed:g} s from SIGTERM: give the supervisor's grace period with --grace to compare",
        )
    what, least = min(graces.items(), key=lambda each: each[1])
    found = f"{what} is {least:g} s; draining may take {drain:g} s"
    if least >= needed:
        return ok(name, found)
    remedy = (
        f"raise it to {needed:g} s (TimeoutStopSec, terminationGracePeriodSeconds, stop_grace_period), or lower "
        "KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS"
    )
    return failed(name, f"{found}: work in flight would be killed, and done again", remedy)


def _revocation(revoke: float, drain: float, poll_interval_ms: int | None) -> Finding:
    name = "revocation"
    limit = (poll_interval_ms or POLL_INTERVAL_MS) / 1_000
    if revoke >= limit:
        remedy = "lower KASCRIBE_RUNTIME_REVOKE_TIMEOUT_SECONDS, or raise KASCRIBE_KAFKA_MAX_POLL_INTERVAL_MS"
        found = f"{revoke:g} s, while the broker waits for {limit:g} s: it would expel the process"
        return failed(name, found, remedy)
    if revoke > drain:
        remedy = "lower KASCRIBE_RUNTIME_REVOKE_TIMEOUT_SECONDS to that of the drain"
        return warning(name, f"{revoke:g} s, more than the {drain:g} s of the drain", remedy)
    return ok(name, f"{revoke:g} s, within the {limit:g} s that the broker waits")


def _confirmation(message_timeout_ms: int | None) -> Finding:
    name = "confirmation"
    if message_timeout_ms is not None and message_timeout_ms / 1_000 >= STUCK_SECONDS:
        remedy = f"lower KASCRIBE_KAFKA_MESSAGE_TIMEOUT_MS below {STUCK_SECONDS * 1_000:g}"
        found = (
            f"the client waits for {message_timeout_ms / 1_000:g} s; after {STUCK_SECONDS:g} s a role is not live"
        )
        return failed(name, found, remedy)
    seconds = message_timeout_ms / 1_000 if message_timeout_ms is not None else 30.0
    return ok(name, f"the client reports within {seconds:g} s, before a role counts as stuck")


def _property_ms(settings: Settings, name: str) -> int | None:
    value = settings.kafka.properties.get(name)
    return int(value.get_secret_value()) if value is not None else None


def _unit_graces(roles: Sequence[str]) -> dict[str, float | None]:
    """Return TimeoutStopSec of the roles' units, where systemd has them."""
    units = [("kascribe-reconciler" if role == "reconciler" else f"kascribe@{role}") for role in roles]
    return {f"TimeoutStopSec of {unit}": _unit_grace(unit) for unit in units}


def _unit_grace(unit: str) -> float | None:
    try:
        shown = subprocess.run(
            ["systemctl", "show", unit, "--property=LoadState,FragmentPath,TimeoutStopUSec"],
            capture_output=True,
            text=True,
            timeout=_SYSTEMCTL_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if values.get("LoadState") != "loaded" or not values.get("FragmentPath"):
        return None
    return seconds_of(values.get("TimeoutStopUSec", ""))


def seconds_of(span: str) -> float | None:
    """Return a span as systemd writes it, such as ``1min 30s``, in seconds; None for ``infinity`` and others."""
    seconds = 0.0
    for part in span.split():
        digits = part.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = part[len(digits) :]
        if unit not in _UNITS_OF_TIME:
            return None
        seconds += float(digits) * _UNITS_OF_TIME[unit]
    return seconds or None
