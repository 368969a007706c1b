"""Commands that look at records and publish them again."""
