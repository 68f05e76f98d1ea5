"""The stand-alone verifier: standard library only, also built as the one file memcon-verify.pyz."""

from __future__ import annotations

from memcon.verify.bundle import verify_bundle
from memcon.verify.findings import CODES, Finding, Report
from memcon.verify.keys import Trust, trust
from memcon.verify.log import verify_log
from memcon.verify.words import to_text

__all__ = ["CODES", "Finding", "Report", "Trust", "to_text", "trust", "verify_bundle", "verify_log"]
