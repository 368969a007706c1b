"""The offline bundle: everything that installs Kascribe on a machine without a network, in one archive."""

from deploy.bundle.errors import BundleError

__all__ = ["BundleError"]
