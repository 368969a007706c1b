"""The routes of Kascribe's own API that answer in the response."""
