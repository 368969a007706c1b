"""Output of the commands: the live board, plain lines, and the state of the jobs that they show."""
