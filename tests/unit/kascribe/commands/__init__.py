"""Tests of what commands take and refuse."""
