"""The parts of every process, whatever its role: logs, health, shutdown."""
