"""What things cost, measured; each module prints its figures and says what it compares with."""
