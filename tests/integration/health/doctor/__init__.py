"""``kascribe doctor`` against dependencies that are broken on purpose: real servers, real limits."""
