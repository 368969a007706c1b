"""The HTTP front door: a producer and a subscriber. It uploads, publishes a reference, and waits for the event."""
