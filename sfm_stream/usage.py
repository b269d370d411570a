"""What the help texts of all commands have in common."""

from __future__ import annotations

_AS_IT_STANDS = "\b"
"""Click re-wraps a paragraph, unless it begins with this."""


def examples(*commands: str) -> str:
    """The end of a help text: commands as a person types them."""
    return "\n".join((_AS_IT_STANDS, "Examples:", *(f"  {each}" for each in commands)))
