"""``make chaos-failures``: failures of real servers, processes and the machine, and what Kascribe shows."""
