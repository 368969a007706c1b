"""Tests of the gateway's archive."""
