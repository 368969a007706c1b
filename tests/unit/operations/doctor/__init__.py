"""The doctor, without servers."""
