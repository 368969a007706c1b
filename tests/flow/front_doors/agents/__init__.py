"""``kascribe mcp`` in front of real gateways, called by the protocol's own client."""
