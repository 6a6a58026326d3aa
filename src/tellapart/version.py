"""The version, which runs, reports and experts record."""

__version__ = "0.1.0"
