"""The state of jobs and their events: a bounded board of what the topics said, the bucket, and event streams."""
