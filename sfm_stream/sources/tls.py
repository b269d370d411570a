"""Whose certificates are trusted, for sources that do not connect through requests."""

from __future__ import annotations

import os
import ssl
from pathlib import Path


def tls_context() -> ssl.SSLContext:
    """Trusts what requests would: what the site has set (`sfm_stream.settings.environment`), or else the system."""
    trusted = os.environ.get("REQUESTS_CA_BUNDLE")
    if not trusted:
        return ssl.create_default_context()
    is_folder = Path(trusted).is_dir()
    return ssl.create_default_context(cafile=None if is_folder else trusted, capath=trusted if is_folder else None)
