"""What a process of Kascribe does whatever its role: log, answer probes, end in time."""
