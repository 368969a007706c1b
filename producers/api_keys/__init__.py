"""API keys of the gateway: what a key grants, where keys are stored, and how much each has used."""
