"""Kascribe for agents: the tools of ``kascribe mcp`` (Model Context Protocol), in front of a gateway."""
