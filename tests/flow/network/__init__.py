"""Addresses that the roles talk to, as the kernel sees them."""
