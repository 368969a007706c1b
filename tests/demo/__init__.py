"""``make demo``: the main job on real servers, with what happened in a table."""
