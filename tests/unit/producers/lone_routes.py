"""Routes without the services behind them, for requests that are answered before any is needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

from producers.gateway.services import Services


@asynccontextmanager
async def open_no_services(**present: Any) -> AsyncIterator[Services]:
    """Open no services but those that are ``present``."""
    yield Services(**{**{field.name: None for field in fields(Services)}, **present})
