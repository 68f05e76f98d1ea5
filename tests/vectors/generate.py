"""Makes the vectors beside it from docs/FORMATS.md, without a line of memcon: a second implementation.

    .venv/bin/python scripts/in-tests tests.vectors.generate

Each derivation and layout is written out again with struct and hashlib, the tree by its recursive
definition, the bundle's container by the standard library's zipfile, ciphertexts by AES-GCM of
`cryptography`. tests/record/test_vectors.py checks that this gives the checked-in files and that
memcon.record gives the same values. The damaged ones are made of these by negative.py.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from tests.vectors.basis import secrets
from tests.vectors.beats import beats
from tests.vectors.calls import calls, events, segments
from tests.vectors.containers import bundle, configuration, dating, dossier_bundle, journal
from tests.vectors.held import slots, structure
from tests.vectors.texts import canonical_texts, dossier_entries, intakes, silence, transcripts


def build() -> dict[str, str]:
    """File name -> text of every vector file of this module."""
    made = {
        "beat": beats(), "bundle": bundle(), "call": calls(), "canonical": canonical_texts(),
        "config": configuration(), "event": events(), "journal": journal(), "secrets": secrets(),
        "segment": segments(), "silence": silence(), "slot": slots(), "dossier": dossier_entries(),
        "dossier_bundle": dossier_bundle(),
        "structure": structure(), "dating": dating(), "transcript": transcripts(),
        "intake": intakes(),
    }  # fmt: skip
    return {f"{name}.json": json.dumps(v, indent=1, sort_keys=True) + "\n" for name, v in made.items()}


def main() -> None:
    here = Path(__file__).parent
    for name, text in build().items():
        (here / name).write_text(text, encoding="ascii")
    runpy.run_path(str(here / "negative.py"), run_name="__main__")


if __name__ == "__main__":
    main()
