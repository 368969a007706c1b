"""The writing side: outbox, publishers, results, uploads, topics, and the HTTP gateway."""
