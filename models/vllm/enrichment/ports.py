"""Ports of enrichment: a server that completes prompts, and a store for notes."""

from typing import Protocol

from models.vllm.servers.completion import Completion, CompletionRequest, OnText, Prompt


class CompletionServer(Protocol):
    """One server, or several as one. All requests of a transcript carry the same ``affinity``.

    Both methods raise ContextExceeded and Rejected when the request is at fault, DependencyDown and
    EnrichmentFailed when the server is.
    """

    async def count_tokens(self, prompt: Prompt, affinity: str) -> int:
        """Count the tokens of a prompt, chat template included."""
        ...

    async def complete(
        self, request: CompletionRequest, affinity: str, on_text: OnText | None = None
    ) -> Completion:
        """Complete a prompt, streamed if ``on_text`` is given. Cancelling the task ends the request."""
        ...


class NoteStore(Protocol):
    """Notes by digest of their prompt and model. Both methods block and may be called from any thread.

    They may fail by returning None or doing nothing: stored notes save work and decide nothing.
    """

    def find_notes(self, digest: str) -> bytes | None:
        """Return the notes stored under this digest, or None."""
        ...

    def put_notes(self, digest: str, notes: bytes) -> None:
        """Store notes. Storing different ones under the same digest may have no effect."""
        ...
