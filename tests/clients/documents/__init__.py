"""The OpenAPI and AsyncAPI documents as other programs read them: validators, generators, a generated client."""
