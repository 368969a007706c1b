"""How each failure is provoked, and mended."""
