"""Supervised social-media streams that flow into an archive, day and night."""

__version__ = "0.1.0"
