"""`make structure`: measure the structure and the vocabulary of the product code, at any revision."""
