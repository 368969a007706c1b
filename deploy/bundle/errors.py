"""The error of the offline bundle."""


class BundleError(Exception):
    """The bundle cannot be built; the message says why and what to do."""
