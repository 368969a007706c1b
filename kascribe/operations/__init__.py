"""What operators ask of an installation: whether it can work, and how large it has to be."""
