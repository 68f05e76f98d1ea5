"""What holds for every test: no deadline for Hypothesis, since the machine may be busy with others."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("memcon", deadline=None)
settings.load_profile("memcon")
