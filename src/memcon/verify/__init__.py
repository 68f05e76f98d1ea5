"""The stand-alone verifier: standard library only, also built as the one file memcon-verify.pyz.

Each function takes what is to be checked and whom the reader trusts, and returns a `Report`; what is
wrong with the input is in the report, never an exception.
"""

from __future__ import annotations

from memcon.verify.bundle import verify_bundle
from memcon.verify.findings import CODES, Finding, Report
from memcon.verify.keys import Trust, trust
from memcon.verify.log import verify_log
from memcon.verify.slots import verify_slots
from memcon.verify.vault import verify_object
from memcon.verify.words import to_text

__all__ = [
    "CODES",
    "Finding",
    "Report",
    "Trust",
    "to_text",
    "trust",
    "verify_bundle",
    "verify_log",
    "verify_object",
    "verify_slots",
]
