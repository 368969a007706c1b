"""Spoken orders that the model of a server obeys, with and without the product's defences."""
