"""Clients that disconnect before their answer."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

Result = TypeVar("Result")


async def while_connected(request: Request, answer: Coroutine[None, None, Result]) -> Result:
    """Return the answer; cancel the job and raise ClientDisconnect if the client disconnects first."""
    answering = asyncio.create_task(answer)
    leaving = asyncio.create_task(_client_gone(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return answering.result()
    finally:
        leaving.cancel()
        if answering.cancel():
            await asyncio.wait({answering})


async def _client_gone(request: Request) -> None:
    # The body has been read: the only message that can still come is the disconnect.
    while (await request.receive())["type"] != "http.disconnect":
        pass
