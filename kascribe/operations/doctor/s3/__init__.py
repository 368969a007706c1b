"""Whether the object store serves these credentials, and each right that the roles use."""
