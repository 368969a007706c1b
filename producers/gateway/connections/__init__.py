"""What clients may take of a gateway: connections, time, requests, uploads and disk; the rest is refused."""
