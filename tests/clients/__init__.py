"""The contracts as other languages see them: types generated from the committed schemas, and compiled."""
