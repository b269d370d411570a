"""How long the fuzz tests look: bounded by default, for hours with SFM_FUZZ=long."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine is no finding: no deadline for one example.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("bounded", max_examples=100, derandomize=True, **_COMMON)
settings.register_profile("long", max_examples=20_000, **_COMMON)
settings.load_profile("long" if os.environ.get("SFM_FUZZ") == "long" else "bounded")
