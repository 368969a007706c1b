"""HTTP client of language model servers: failover, limits, streaming. Independent of transcripts."""
