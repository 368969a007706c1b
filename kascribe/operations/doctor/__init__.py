"""``kascribe doctor``: whether what the roles need is there, and what to do where it is not."""
