"""Jobs whose result is the response to the request that started them. Knows no HTTP."""
