"""The wiring: builds roles and clients from settings. It only decides which part gets which collaborators."""
