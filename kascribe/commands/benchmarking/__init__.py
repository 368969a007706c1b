"""``kascribe bench``: what a machine does with a model and with files."""
