"""How a gateway is observed: metrics, one log line a request, and whether it is live and ready."""
