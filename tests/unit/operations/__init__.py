"""What operators ask of an installation."""
