"""A Prometheus exporter that calls LiveKit voice agents and measures what the caller hears."""

__version__ = "0.1.0"
