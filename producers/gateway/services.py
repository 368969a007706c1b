"""The services behind the routes while the server runs."""

from dataclasses import dataclass

from fastapi import Request

from producers.gateway.access.gate import Gate
from producers.gateway.archive.archive import Archive
from producers.gateway.events.hub import JobHub
from producers.gateway.events.states import JobStates
from producers.gateway.interactive.jobs import Jobs
from producers.gateway.jobs.services import JobServices
from producers.gateway.monitoring.dependencies import Dependencies
from producers.gateway.monitoring.health import Health
from producers.gateway.openai.served_models import ServedModels
from schemas.transcripts.subtitles.settings import SubtitleSettings


@dataclass(frozen=True, slots=True)
class Services:
    """What routes need; opened when the server starts, closed when it ends."""

    jobs: Jobs
    dependencies: Dependencies
    health: Health
    hub: JobHub
    states: JobStates
    models: ServedModels
    subtitles: SubtitleSettings
    job_services: JobServices
    archive: Archive | None = None
    """Where one is configured."""
    gate: Gate | None = None
    """Where keys are in use."""


def services_of(request: Request) -> Services:
    """Return the services of the application that handles the request."""
    services: Services = request.app.state.services
    return services
