"""The description of the HTTP API: OpenAPI, its pages, and what routes declare their answers with."""
