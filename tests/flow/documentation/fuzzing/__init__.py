"""Requests that schemathesis makes of the OpenAPI document, against a gateway with everything behind it."""
