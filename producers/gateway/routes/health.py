"""``GET /health``: whether the services behind the gateway answer."""

from typing import Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from producers.gateway.documentation.tags import Tag
from producers.gateway.services import services_of


class HealthAnswer(BaseModel):
    """How the services behind the gateway are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ok", "dependencies": {"kafka": True, "bucket": True}}]}
    )

    status: Literal["ok", "degraded"] = Field(description="`ok` if every service answers.")
    dependencies: dict[str, bool] = Field(description="Whether each service answered within a second.")


def add_health(app: FastAPI) -> None:
    """Add the route."""

    @app.get(
        "/health",
        tags=[Tag.OPERATION],
        summary="Ask how the services behind the gateway are",
        description="Always 200: a new process would not repair a service that is down.",
    )
    @app.head("/health", include_in_schema=False)
    async def health(request: Request) -> HealthAnswer:
        up = await services_of(request).dependencies.up()
        return HealthAnswer(status="ok" if all(up.values()) else "degraded", dependencies=up)
