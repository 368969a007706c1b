"""Doubts: statements in an answer that the transcript does not bear out. Pure functions of text."""
