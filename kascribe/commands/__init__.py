"""The commands, one file each. Each imports what it needs when it runs: a role's extras are not every role's."""
