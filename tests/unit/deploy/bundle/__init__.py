"""The offline bundle and the bill of materials, without a network."""
