"""The commands, one file each. A command imports its parts when it runs: an installation may lack other extras."""
