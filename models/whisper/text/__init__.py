"""Conversion of tokens to the text of a transcript: vocabulary, words, segments."""
