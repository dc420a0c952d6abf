"""The version, in the one place that the package, the API and the docs read."""

__version__ = "0.1.0"
