"""Between tokens and the text of a transcript: vocabulary, words, segments, assembly."""
