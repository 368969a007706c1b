"""Commands that read the archive: of the settings, or of the stack that runs on this machine."""
