"""Where the parts meet: settings in, running roles and clients out. Nothing is decided here but who gets what."""
