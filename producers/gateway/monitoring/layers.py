"""What the application gets of monitoring: its routes, and the layer that sees every request."""

from fastapi import FastAPI

from producers.gateway.connections.guard import Guard
from producers.gateway.monitoring.access_log import AccessLog
from producers.gateway.monitoring.monitor import Monitor
from producers.gateway.monitoring.ports import Instruments
from producers.gateway.monitoring.requests import MonitorMiddleware
from producers.gateway.monitoring.routes import add_monitoring
from producers.gateway.monitoring.unmetered import Unmetered
from schemas.clock import SystemClock
from schemas.settings import GatewaySettings


def add_monitor(app: FastAPI, settings: GatewaySettings, instruments: Instruments | None) -> None:
    """Add routes and layer; without ``instruments`` nothing is measured. Call it after the other layers."""
    clock = SystemClock()
    measured = instruments or Unmetered()
    monitor = Monitor(measured, AccessLog(clock) if settings.access_log else None)
    guard: Guard = app.state.guard
    monitor.watch(guard)
    app.add_middleware(MonitorMiddleware, monitor=monitor, clock=clock)
    add_monitoring(app, measured)
