"""What every process does whatever its role: log, answer probes, end in time."""
