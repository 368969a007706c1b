"""The HTTP gateway: a producer and a subscriber. It uploads, publishes a reference, and waits for the event."""
