"""Costs, measured; each module prints its figures and names what it compares with."""
