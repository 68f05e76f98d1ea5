"""CAMEO event codes (Schrodt 2012): the twenty roots in words, and whether a code is one."""

from __future__ import annotations

ROOTS = {
    "01": "Public statement",
    "02": "Appeal",
    "03": "Intent to cooperate",
    "04": "Consultation",
    "05": "Diplomatic cooperation",
    "06": "Material cooperation",
    "07": "Aid",
    "08": "Yielding",
    "09": "Investigation",
    "10": "Demand",
    "11": "Disapproval",
    "12": "Rejection",
    "13": "Threat",
    "14": "Protest",
    "15": "Show of force",
    "16": "Reduction of relations",
    "17": "Coercion",
    "18": "Assault",
    "19": "Fighting",
    "20": "Unconventional mass violence",
}


def words(code: str) -> str:
    """`Fighting (CAMEO 190)`; a code that is none is given as it is."""
    root = ROOTS.get(code[:2])
    return f"{root} (CAMEO {code})" if root else code
