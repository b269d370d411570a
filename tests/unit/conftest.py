"""What all unit tests share."""

from __future__ import annotations

import hypothesis

# A busy machine is no fault of the code: examples have no time limit of their own, pytest's is enough.
hypothesis.settings.register_profile("unit", deadline=None)
hypothesis.settings.load_profile("unit")
