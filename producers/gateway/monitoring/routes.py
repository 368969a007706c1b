"""``GET /health/live``, ``/health/ready`` and ``/metrics``."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from producers.gateway.documentation.answers import FailureAnswer
from producers.gateway.documentation.tags import Tag
from producers.gateway.monitoring import rows
from producers.gateway.monitoring.ports import Instruments
from producers.gateway.services import services_of
from schemas.monitoring import DEPENDENCY_DOWN, HealthReport
from schemas.object_addresses import S3

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus text-based format."""

_METRIC_NAMES: Final = {"bucket": S3}
"""The other roles' names of dependencies, so that one alert serves all."""


class CheckAnswer(BaseModel):
    """The result of a health check."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ok": True, "reasons": [], "facts": {"dependencies": {"kafka": True, "bucket": True}}}]
        }
    )

    ok: bool = Field(description="Whether the check succeeded; the status is 200 then, and 503 otherwise.")
    reasons: list[str] = Field(description="Why it did not.")
    facts: dict[str, Any] = Field(description="What was checked.")


_FAILED: Final[dict[int | str, dict[str, Any]]] = {
    503: {
        "model": CheckAnswer | FailureAnswer,
        "description": "The check failed, and `reasons` say why.",
        "content": {
            "application/json": {
                "examples": {
                    "failed": {
                        "value": {
                            "ok": False,
                            "reasons": ["kafka does not answer"],
                            "facts": {"dependencies": {"kafka": False, "bucket": True}},
                        }
                    }
                }
            }
        },
    }
}


def add_monitoring(app: FastAPI, instruments: Instruments) -> None:
    """Add the routes. Each answers within a second, whatever hangs."""

    @app.get(
        "/health/live",
        tags=[Tag.OPERATION],
        summary="Ask whether the process can go on",
        description="503 when a new process is needed: a thread that it cannot do without has ended.",
        response_model=CheckAnswer,
        responses=_FAILED,
    )
    @app.head("/health/live", include_in_schema=False)
    async def live(request: Request) -> JSONResponse:
        return _answer(services_of(request).health.live())

    @app.get(
        "/health/ready",
        tags=[Tag.OPERATION],
        summary="Ask whether requests can be served",
        description="503 when Kafka or the bucket does not answer, or no enricher runs where one is expected "
        "(`KASCRIBE_GATEWAY_ENRICHMENT`).",
        response_model=CheckAnswer,
        responses=_FAILED,
    )
    @app.head("/health/ready", include_in_schema=False)
    async def ready(request: Request) -> JSONResponse:
        return _answer(await services_of(request).health.ready())

    @app.get(
        "/metrics",
        tags=[Tag.OPERATION],
        summary="Read the metrics",
        description="In Prometheus's text format.",
        response_class=Response,
        responses={
            200: {
                "content": {
                    "text/plain": {
                        "schema": {"type": "string"},
                        "example": "# TYPE kascribe_http_connections gauge\nkascribe_http_connections 3.0\n",
                    }
                }
            }
        },
    )
    async def metrics(request: Request) -> Response:
        services = services_of(request)
        instruments.gauge(rows.WAITING_ANSWERS).set(len(services.jobs.answers))
        for name, answers in (await services.health.needed.up()).items():
            instruments.gauge(DEPENDENCY_DOWN).labels(_METRIC_NAMES.get(name, name)).set(0 if answers else 1)
        return Response(instruments.exposition(), media_type=METRICS_TYPE)


def _answer(report: HealthReport) -> JSONResponse:
    status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"ok": report.ok, "reasons": report.reasons, "facts": dict(report.facts)}, status)
