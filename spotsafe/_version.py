"""The one place that states the version; packaging and the wire both read it."""

__version__ = "0.1.0"
