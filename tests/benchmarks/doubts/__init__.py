"""Shares of wrong and of right outputs that the rules of doubt flag."""
