"""The view of a recording, and search in all of them."""
