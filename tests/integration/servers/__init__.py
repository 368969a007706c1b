"""Tests of the real servers themselves, and of the commands that start them."""
