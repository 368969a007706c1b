"""What the commands show to a person: the live board, plain lines, endings."""
