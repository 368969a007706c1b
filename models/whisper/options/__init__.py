"""Options of a job in the model's terms: what it supports, and what the search and the gate take from them."""
