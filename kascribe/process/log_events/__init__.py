"""The catalogue of log events: what each line means, what to do, and whether to alert on it."""
