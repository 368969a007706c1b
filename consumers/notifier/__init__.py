"""The notifier: sends the final events of jobs to webhooks."""
