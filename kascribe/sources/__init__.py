"""What a user names on the command line: files, folders, patterns, addresses, standard input."""
