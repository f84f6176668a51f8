"""The version of the package. A release sets it here, and only here, to its tag without the v."""

__version__ = "0.1.0.dev0"
