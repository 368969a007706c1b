"""Tests of webhooks as values."""
