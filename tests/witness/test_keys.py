"""Quick checks of signatures."""

from __future__ import annotations

from tests.verify.watched import Watched
from tests.verify.witnesses import WITNESSES

from memcon.tlog.note import Note
from memcon.witness.keys import check_quickly


def test_quick_checks_agree_with_the_plain_ones() -> None:
    watched = Watched()
    text = Note.parse(watched.world.checkpoint()).text
    witness = WITNESSES["w1"]
    blob = witness.cosign(text, 5).blob
    assert check_quickly(witness.key, text, blob)
    assert not check_quickly(witness.key, text, blob[:-1] + bytes([blob[-1] ^ 1]))
    assert not check_quickly(witness.key, text, b"short")
    log = watched.world.keys()[0]
    signed = Note.parse(watched.world.checkpoint()).signatures[0]
    assert check_quickly(log, text, signed.blob)
