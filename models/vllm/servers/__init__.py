"""HTTP clients of language model servers. Knows no transcript."""
