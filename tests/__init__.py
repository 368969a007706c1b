"""Tests, by what they need: nothing, contracts, an embedded broker, the real servers."""
