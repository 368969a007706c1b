"""What a language model answered: schemas with bounds, reading, cleaning, and a gate. Pure."""
