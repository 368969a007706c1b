"""The reconciler on real servers."""
