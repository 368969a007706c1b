"""Numerals: digits and number words of English, Korean and Chinese, as values."""
