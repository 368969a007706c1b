"""The page for people, in a real browser before a real system."""
