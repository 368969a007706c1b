"""How events travel: records, headers, wire format, topics, dead letters."""
