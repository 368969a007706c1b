"""The pages and the documents that a gateway serves, as clients meet them."""
